"""All messages that wait to be published, and the order in which they are sent."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.message import Message
from edge.mqtt.encoding import as_replayed
from edge.outbox.entry import Entry
from edge.outbox.outbox import Outbox

REPLAYS_PER_S = 50.0
TRANSIENT_CAPACITY = 1000  # scores and levels between the worker and a connected broker: 8 minutes of one source
RETAINED_CAPACITY = 1000
ANSWERS_CAPACITY = 100


@dataclass(frozen=True, slots=True)
class Ticket:
    """A message to send; `entry` is set if the outbox waits for its acknowledgement."""

    message: Message
    entry: Entry | None = None


class Outgoing:
    """Four queues behind one lock; the worker puts, the network thread takes.

    Retained messages: the latest per topic is kept for ever and goes out again on every connection. While connected each change goes out.
    Events: wait in the outbox until acknowledged, and go out in their order. All that did not come while this connection stood is marked
    as replayed, and goes out no faster than `replays_per_s`: a broker that comes back is busy with all its clients.
    Answers to commands: wait in memory until acknowledged, over connections too.
    Transient messages (scores, levels): only while connected, the oldest make room.
    """

    def __init__(
        self, outbox: Outbox | None = None, *, replays_per_s: float = REPLAYS_PER_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Without an `outbox`, events wait in memory."""
        self._lock = threading.Lock()
        self._outbox = outbox or Outbox()
        self._replay_interval_s = 1.0 / replays_per_s
        self._clock = clock
        self._replay_at_s = 0.0
        self._latest: dict[str, Message] = {}  # by topic, in the order in which the topics came
        self._retained: deque[Message] = deque()
        self._transient: deque[Message] = deque(maxlen=TRANSIENT_CAPACITY)
        self._answers: deque[Message] = deque(maxlen=ANSWERS_CAPACITY)
        self._answers_sent: list[Message] = []  # and not acknowledged
        self._unacknowledged = 0
        self._connected = False

    def retain(self, message: Message) -> None:
        """Publish now (if connected) and again on every later connection."""
        with self._lock:
            self._latest[message.topic] = message
            if not self._connected:
                return
            self._retained.append(message)
            if len(self._retained) > RETAINED_CAPACITY:  # a stalled connection: only the latest of each topic still matters
                self._retained = deque(self._latest.values())

    def queue(self, message: Message, source: str, seq: int, *, closes: bool, kept: Callable[[], None] | None = None) -> None:
        """Publish now or as soon as there is a broker; see `Outbox.put`."""
        with self._lock:
            self._outbox.put(message, source, seq, closes=closes, fresh=self._connected, kept=kept)

    def answer(self, message: Message) -> None:
        """Publish now or as soon as there is a broker."""
        with self._lock:
            self._answers.append(message)

    def send(self, message: Message) -> None:
        """Publish now or never."""
        with self._lock:
            if self._connected:
                self._transient.append(message)

    def connected(self) -> None:
        """A connection was made: everything retained is sent again."""
        with self._lock:
            self._connected = True
            self._retained = deque(self._latest.values())

    def disconnected(self) -> None:
        """The connection is gone: events in flight wait again, transient messages are lost."""
        with self._lock:
            self._connected = False
            self._retained.clear()
            self._transient.clear()
            self._unacknowledged = 0
            self._answers = deque([*self._answers_sent, *self._answers], ANSWERS_CAPACITY)
            self._answers_sent.clear()
            self._outbox.release()

    def take(self, window: int) -> Ticket | None:
        """Return the next message to send; with `window` QoS 1 messages unacknowledged, only transient ones go out."""
        with self._lock:
            if self._unacknowledged < window:
                if self._retained:
                    self._unacknowledged += 1
                    return Ticket(self._retained.popleft())
                if self._answers:
                    self._unacknowledged += 1
                    self._answers_sent.append(self._answers.popleft())
                    return Ticket(self._answers_sent[-1])
                entry = self._take_event()
                if entry is not None:
                    self._unacknowledged += 1
                    return Ticket(entry.message if entry.fresh else as_replayed(entry.message), entry)
            return Ticket(self._transient.popleft()) if self._transient else None

    def _take_event(self) -> Entry | None:
        entry = self._outbox.peek()
        if entry is None or entry.fresh:
            return self._outbox.take()
        now_s = self._clock()
        if now_s < self._replay_at_s:
            return None
        self._replay_at_s = now_s + self._replay_interval_s
        return self._outbox.take()

    @property
    def replay_in_s(self) -> float:
        """Seconds until `take` may return something although nothing new has come; infinity when never."""
        with self._lock:
            entry = self._outbox.peek()
            return math.inf if entry is None else max(0.0, self._replay_at_s - self._clock())

    def acknowledged(self, ticket: Ticket, *, refused: bool = False) -> None:
        """The broker has answered a QoS 1 message."""
        with self._lock:
            self._unacknowledged -= 1
            self._answers_sent = [message for message in self._answers_sent if message is not ticket.message]
            if ticket.entry is not None:
                self._outbox.acknowledge(ticket.entry, refused=refused)

    @property
    def is_connected(self) -> bool:
        """True while there is a connection."""
        return self._connected

    @property
    def has_room(self) -> bool:
        """False while a connected broker takes messages more slowly than they come; who can wait should."""
        with self._lock:
            is_full = len(self._transient) > TRANSIENT_CAPACITY // 2 or not self._outbox.has_room
            return not (self._connected and is_full)

    @property
    def idle(self) -> bool:
        """True if nothing waits: there is a connection, everything is sent, and all QoS 1 messages are acknowledged."""
        with self._lock:
            waiting = self._retained or self._answers or self._outbox.depth or self._transient
            return self._connected and not (waiting or self._unacknowledged)
