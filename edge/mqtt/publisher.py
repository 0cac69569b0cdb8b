"""The node's publisher: takes messages from the worker and delivers them to the broker, however long that takes."""

from __future__ import annotations

import logging
import math
import ssl
import threading
import time
from collections.abc import Callable, Sequence

from edge.errors import BrokerError
from edge.message import Message
from edge.mqtt.backoff import Backoff
from edge.mqtt.connection import Connection
from edge.mqtt.encoding import as_interrupted
from edge.mqtt.in_flight import InFlight
from edge.mqtt.link import Link, LinkReport
from edge.mqtt.outgoing import REPLAYS_PER_S, Outgoing
from edge.mqtt.refusal import ConnectError, ContestedError, RefusedError
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.subscription import Subscription
from edge.mqtt.wakeup import Wakeup
from edge.outbox.outbox import Outbox, OutboxReport

LOG = logging.getLogger("auscult.mqtt")
TRANSIENT_EXPIRY_S = 60  # a score that a slow subscriber gets later than this misleads
GOODBYE_S = 2.0


class Publisher:
    """Publishes from its own network thread; none of `retain`, `queue`, `answer` and `send` ever waits for the broker.

    Parameters
    ----------
    settings
        the broker.
    status_topic
        where `online` and `offline` go; also the topic of the will.
    outbox
        where events wait for the broker; the publisher opens and closes it. Without one they wait in memory.
    replays_per_s
        how many of the events that waited go out per second.
    subscriptions
        what to listen to.
    backoff, refusal_wait_s
        how long to wait between tries: see `Link`.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        status_topic: str,
        *,
        outbox: Outbox | None = None,
        replays_per_s: float = REPLAYS_PER_S,
        subscriptions: Sequence[Subscription] = (),
        backoff: Backoff | None = None,
        refusal_wait_s: float = 60.0,
    ) -> None:
        self._settings = settings
        self._subscriptions = tuple(subscriptions)
        self._tls: ssl.SSLContext | None = settings.tls.context() if settings.tls is not None else None
        self._offline = Message(status_topic, b"offline", retain=True)
        self._outbox = outbox or Outbox()
        self._outgoing = Outgoing(self._outbox, replays_per_s=replays_per_s)
        self._outgoing.retain(Message(status_topic, b"online", retain=True))
        self._link = Link(backoff, refusal_wait_s)
        self._tried = threading.Event()  # the first attempt is over, however it ended
        self._stopping = threading.Event()
        self._refusal: str | None = None  # of the first attempt
        self._finish_by_s = 0.0
        self._beat_s = 0.0
        self._wakeup = Wakeup()
        self._outbox.on_ready = self._wakeup.wake
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def open(self) -> None:
        """Open the outbox, before any `seq` is given, and end the events that an earlier run left open because it was killed.

        Raises
        ------
        OutboxError
            when another daemon uses the outbox, or its path is a folder.
        """
        self._outbox.open()
        for last in self._outbox.open_events():
            seq = self._outbox.next_seq(last.source)
            LOG.warning("%s: the last run ended in the middle of an event; closing it", last.source)
            self._outgoing.queue(as_interrupted(last.message, self.epoch, seq), last.source, seq, closes=True)

    def start(self, wait_s: float = 5.0) -> None:
        """Begin to connect; wait at most `wait_s` for the first attempt to end, so that a broker that is there receives everything.

        Raises
        ------
        BrokerError
            when the broker is there but refuses us: login, certificate, protocol. A broker that is away is no error.
        """
        self._beat_s = time.monotonic()
        self._thread.start()
        self._tried.wait(wait_s)
        self.check()

    def renew(self, tls: ssl.SSLContext | None) -> None:
        """Take this context from the next connection on: the TLS files have been read again."""
        self._tls = tls

    @property
    def silent_s(self) -> float:
        """Seconds since the network thread last went round its loop, connected or not; infinite when it or the outbox's has died."""
        if self._thread.ident is None or self._stopping.is_set() or self._refusal is not None:
            return 0.0
        return time.monotonic() - self._beat_s if self._thread.is_alive() and self._outbox.is_working else math.inf

    def check(self) -> None:
        """Raise BrokerError when the very first attempt was refused; later refusals are logged and tried again, slowly."""
        if self._refusal is not None:
            raise BrokerError(self._settings.endpoint, self._refusal)

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1, retained; again on every connection."""
        self._outgoing.retain(Message(topic, payload, retain=True))
        self._wakeup.wake()

    def queue(self, topic: str, payload: bytes, *, source: str, seq: int, closes: bool, kept: Callable[[], None] | None = None) -> None:
        """Publish an event message at QoS 1, now or when the broker is back, in order and at least once; see `Outbox.put`."""
        self._outgoing.queue(Message(topic, payload), source, seq, closes=closes, kept=kept)
        self._wakeup.wake()

    def next_seq(self, source: str) -> int:
        """The `seq` that the source's next event message must have, over restarts and crashes."""
        return self._outbox.next_seq(source)

    @property
    def epoch(self) -> str:
        """Within which `seq` is counted: the `epoch` of all event messages of this run."""
        return self._outbox.epoch.id

    def send(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0, now or never."""
        self._outgoing.send(Message(topic, payload, qos=0, expiry_s=TRANSIENT_EXPIRY_S))
        self._wakeup.wake()

    def answer(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1, not retained, now or when the broker is back; of many that wait the oldest are given up."""
        self._outgoing.answer(Message(topic, payload))
        self._wakeup.wake()

    @property
    def endpoint(self) -> str:
        """`mqtt://host:port`."""
        return self._settings.endpoint

    @property
    def has_room(self) -> bool:
        """False while a connected broker cannot keep up. A live source continues anyway; a file that is read at full speed waits."""
        return self._outgoing.has_room

    @property
    def idle(self) -> bool:
        """True when everything has been sent and acknowledged."""
        return self._outgoing.idle

    def report(self) -> OutboxReport:
        """Depth, oldest age and drops of the outbox."""
        return self._outbox.report()

    @property
    def link(self) -> LinkReport:
        """The state of the connection."""
        return self._link.report()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Send what can still be sent within `timeout_s`, disconnect and close the outbox. Never waits for a broker that is away."""
        self._finish_by_s = time.monotonic() + timeout_s
        self._stopping.set()
        self._wakeup.wake()
        if self._thread.ident is not None:
            # A thread that hangs in a connect or a name look-up is left behind; it is a daemon thread.
            self._thread.join(timeout_s + GOODBYE_S if self._outgoing.is_connected else 1.0)
        if not self._thread.is_alive():
            self._wakeup.close()
        self._outbox.close()
        left = self._outbox.report()
        if left.depth and left.durable:
            LOG.warning("%d event messages for %s wait in %s until the next start", left.depth, self._settings.endpoint, self._outbox.path)
        elif left.depth:
            LOG.warning("%d event messages were not delivered to %s and are lost", left.depth, self._settings.endpoint)

    def _run(self) -> None:
        while not self._stopping.is_set():
            connection: Connection | None = None
            self._beat_s = time.monotonic()
            try:
                connection = Connection(self._settings, self._offline, self._tls, self._subscriptions)
                connection.open()
                level = logging.INFO if self._link.connected() else logging.DEBUG
                self._outgoing.connected()
                self._tried.set()
                LOG.log(level, "connected to %s (MQTT %s)", self._settings.endpoint, self._settings.protocol)
                self._serve(connection)
                return
            except Exception as error:  # of whatever kind: without this thread the daemon would publish nothing until somebody notices
                if not isinstance(error, ConnectError):
                    LOG.exception("%s: unexpected", self._settings.endpoint)
                if connection is not None:
                    connection.abort()
                self._outgoing.disconnected()
                for subscription in self._subscriptions:
                    subscription.lost()
                lost = error if isinstance(error, ConnectError) else ConnectError(f"{type(error).__name__}: {error}")
                failure, wait_s = self._link.failed(lost, self._settings.client_id)
                if isinstance(failure, RefusedError) and not self._tried.is_set():
                    self._refusal = str(failure)
                    self._tried.set()
                    return
                self._tried.set()
                self._tell(failure, wait_s)
                self._pause(wait_s)

    def _pause(self, wait_s: float) -> None:
        ends_s = time.monotonic() + wait_s
        while (left_s := ends_s - time.monotonic()) > 0 and not self._stopping.wait(min(left_s, 1.0)):
            self._beat_s = time.monotonic()

    def _tell(self, failure: ConnectError, wait_s: float) -> None:
        level = logging.ERROR if isinstance(failure, ContestedError) else logging.WARNING
        level = level if self._link.is_news(failure) else logging.DEBUG
        LOG.log(level, "%s: %s; trying again in %.1f s", self._settings.endpoint, failure, wait_s)

    def _serve(self, connection: Connection) -> None:
        """Send what is waiting until the connection fails (raises) or the publisher stops (returns)."""
        in_flight = InFlight(connection, self._outgoing)
        saying_goodbye = False
        while True:
            self._beat_s = time.monotonic()
            if self._stopping.is_set() and not saying_goodbye and (self._outgoing.idle or time.monotonic() > self._finish_by_s):
                saying_goodbye = True
                self._outgoing.retain(self._offline)
                self._finish_by_s = time.monotonic() + GOODBYE_S
            if saying_goodbye and (self._outgoing.idle or time.monotonic() > self._finish_by_s):
                connection.close()
                self._outgoing.disconnected()
                return
            in_flight.send()
            wait_s = 0.05 if self._stopping.is_set() else 1.0
            if in_flight.has_room:
                wait_s = min(wait_s, self._outgoing.replay_in_s)
            in_flight.settle(connection.step(wait_s, self._wakeup.reader))
            self._wakeup.drain()
