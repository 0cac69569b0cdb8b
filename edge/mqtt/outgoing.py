"""All that waits to be published, and in which order it goes out."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.mqtt.message import Message
from edge.mqtt.outbox import CAPACITY, Entry, Outbox

TRANSIENT_CAPACITY = 1000  # scores and levels between the worker and a connected broker: 8 minutes of one source
RETAINED_CAPACITY = 1000


@dataclass(frozen=True, slots=True)
class Ticket:
    """A message handed out for sending; `entry` is set when the outbox wants to hear of its acknowledgement."""

    message: Message
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class OutboxReport:
    """What `health` says of the outbox."""

    depth: int
    oldest_age_s: float | None
    dropped: int


class Outgoing:
    """Three queues behind one lock; the worker puts, the network thread takes.

    Retained messages: the latest per topic is kept for ever and goes out again on every connection. While connected each change goes out.
    Events: wait in the outbox until acknowledged. Transient messages (scores, levels): only while connected, the oldest make room.
    """

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._capacity = capacity
        self._latest: dict[str, Message] = {}  # by topic, in the order in which the topics came
        self._retained: deque[Message] = deque()
        self._outbox = Outbox(capacity, clock)
        self._transient: deque[Message] = deque(maxlen=TRANSIENT_CAPACITY)
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

    def queue(self, message: Message) -> None:
        """Publish now or as soon as there is a broker."""
        with self._lock:
            self._outbox.put(message)

    def send(self, message: Message) -> None:
        """Publish now or never."""
        with self._lock:
            if self._connected:
                self._transient.append(message)

    def connected(self) -> None:
        """A connection stands: everything retained goes out again."""
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
            self._outbox.release()

    def take(self, window: int) -> Ticket | None:
        """Return the next message to send; with `window` QoS 1 messages unacknowledged, only transient ones go out."""
        with self._lock:
            if self._unacknowledged < window:
                if self._retained:
                    self._unacknowledged += 1
                    return Ticket(self._retained.popleft())
                entry = self._outbox.take()
                if entry is not None:
                    self._unacknowledged += 1
                    return Ticket(entry.message, entry)
            return Ticket(self._transient.popleft()) if self._transient else None

    def acknowledged(self, ticket: Ticket, *, refused: bool = False) -> None:
        """The broker has answered a QoS 1 message."""
        with self._lock:
            self._unacknowledged -= 1
            if ticket.entry is not None:
                self._outbox.acknowledge(ticket.entry, refused=refused)

    @property
    def is_connected(self) -> bool:
        """True while a connection stands."""
        return self._connected

    @property
    def has_room(self) -> bool:
        """False while a connected broker takes messages more slowly than they come; who can wait should."""
        with self._lock:
            is_full = len(self._transient) > TRANSIENT_CAPACITY // 2 or len(self._outbox) > self._capacity // 2
            return not (self._connected and is_full)

    @property
    def idle(self) -> bool:
        """True when nothing waits: all sent, and all QoS 1 messages acknowledged, on a connection that stands."""
        with self._lock:
            return self._connected and not (self._retained or len(self._outbox) or self._transient or self._unacknowledged)

    def report(self) -> OutboxReport:
        """Depth, age and losses of the outbox."""
        with self._lock:
            return OutboxReport(len(self._outbox), self._outbox.oldest_age_s, self._outbox.dropped)
