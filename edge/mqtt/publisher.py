"""The voice of the node: takes messages from the worker and gets them to the broker, however long that takes."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import ssl
import threading
import time

from edge.errors import BrokerError
from edge.mqtt.backoff import Backoff
from edge.mqtt.connection import Connection
from edge.mqtt.message import Message
from edge.mqtt.outbox import CAPACITY
from edge.mqtt.outgoing import OutboxReport, Outgoing, Ticket
from edge.mqtt.refusal import ConnectError, RefusedError
from edge.mqtt.settings import BrokerSettings

LOG = logging.getLogger("auscult.mqtt")
TRANSIENT_EXPIRY_S = 60  # a score that a slow subscriber gets later than this misleads
SETTLED_S = 30.0  # a connection that stood this long starts the backoff anew
ACKNOWLEDGE_TIMEOUT_S = 30.0
GOODBYE_S = 2.0


class Publisher:
    """Publishes from its own network thread; none of `retain`, `queue` and `send` ever waits for the broker.

    Parameters
    ----------
    settings
        the broker.
    status_topic
        where `online` and `offline` go; also the topic of the will.
    capacity
        how many events wait in memory while there is no broker.
    refusal_wait_s
        how long to wait after a broker has refused us, which only people can change.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        status_topic: str,
        *,
        capacity: int = CAPACITY,
        backoff: Backoff | None = None,
        refusal_wait_s: float = 60.0,
    ) -> None:
        self._settings = settings
        self._tls: ssl.SSLContext | None = settings.tls.context() if settings.tls is not None else None
        self._offline = Message(status_topic, b"offline", retain=True)
        self._outgoing = Outgoing(capacity)
        self._outgoing.retain(Message(status_topic, b"online", retain=True))
        self._backoff = backoff or Backoff()
        self._refusal_wait_s = refusal_wait_s
        self._tried = threading.Event()  # the first attempt is over, however it ended
        self._stopping = threading.Event()
        self._refusal: str | None = None  # of the first attempt
        self._finish_by_s = 0.0
        self._last_failure = ""
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self, wait_s: float = 5.0) -> None:
        """Begin to connect; wait at most `wait_s` for the first attempt to end, so that a broker that is there hears everything.

        Raises
        ------
        BrokerError
            when the broker is there but refuses us: login, certificate, protocol. A broker that is away is no error.
        """
        self._thread.start()
        self._tried.wait(wait_s)
        self.check()

    def check(self) -> None:
        """Raise BrokerError when the very first attempt was refused; later refusals are logged and tried again, slowly."""
        if self._refusal is not None:
            raise BrokerError(self._settings.endpoint, self._refusal)

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1, retained; again on every connection."""
        self._outgoing.retain(Message(topic, payload, retain=True))
        self._wake()

    def queue(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1, now or when the broker is back; the oldest messages make room when the outbox is full."""
        self._outgoing.queue(Message(topic, payload))
        self._wake()

    def send(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0, now or never."""
        self._outgoing.send(Message(topic, payload, qos=0, expiry_s=TRANSIENT_EXPIRY_S))
        self._wake()

    @property
    def endpoint(self) -> str:
        """`mqtt://host:port`."""
        return self._settings.endpoint

    @property
    def has_room(self) -> bool:
        """False while a connected broker cannot keep up. A live source goes on regardless; a file that is read at full speed waits."""
        return self._outgoing.has_room

    @property
    def idle(self) -> bool:
        """True when everything has been sent and acknowledged."""
        return self._outgoing.idle

    def report(self) -> OutboxReport:
        """Depth, oldest age and drops of the outbox."""
        return self._outgoing.report()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Send what can still be sent within `timeout_s`, publish `offline`, disconnect. Never waits for a broker that is away."""
        self._finish_by_s = time.monotonic() + timeout_s
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            # A thread that hangs in a connect or a name look-up is left behind; it is a daemon thread.
            self._thread.join(timeout_s + GOODBYE_S if self._outgoing.is_connected else 1.0)
        if not self._thread.is_alive():
            self._wake_reader.close()
            self._wake_writer.close()
        left = self._outgoing.report().depth
        if left:
            LOG.warning("%d event messages were not delivered to %s", left, self._settings.endpoint)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full, and then the network thread is about to look; or stopped
            self._wake_writer.send(b"\0")

    def _run(self) -> None:
        while not self._stopping.is_set():
            connection: Connection | None = None
            connected_s: float | None = None
            try:
                connection = Connection(self._settings, self._offline, self._tls)
                connection.open()
                connected_s = time.monotonic()
                self._outgoing.connected()
                self._tried.set()
                self._last_failure = ""
                LOG.info("connected to %s (MQTT %s)", self._settings.endpoint, self._settings.protocol)
                self._serve(connection)
                return
            except ConnectError as failure:
                if connection is not None:
                    connection.abort()
                self._outgoing.disconnected()
                refused = isinstance(failure, RefusedError)
                if refused and not self._tried.is_set():
                    self._refusal = str(failure)
                    self._tried.set()
                    return
                self._tried.set()
                if connected_s is not None and time.monotonic() - connected_s > SETTLED_S:
                    self._backoff.reset()
                wait_s = self._refusal_wait_s * random.uniform(0.5, 1.0) if refused else self._backoff.next_s()
                self._tell(failure, wait_s)
                self._stopping.wait(wait_s)

    def _tell(self, failure: ConnectError, wait_s: float) -> None:
        # A broker that is away for a week should not fill the journal: one line per cause, the repetitions at debug level.
        level = logging.DEBUG if str(failure) == self._last_failure else logging.WARNING
        self._last_failure = str(failure)
        LOG.log(level, "%s: %s; trying again in %.1f s", self._settings.endpoint, failure, wait_s)

    def _serve(self, connection: Connection) -> None:
        """Send what is waiting until the connection fails (raises) or the publisher stops (returns)."""
        in_flight: dict[int, tuple[Ticket, float]] = {}  # by packet id: what, and since when
        saying_goodbye = False
        while True:
            if self._stopping.is_set() and not saying_goodbye and (self._outgoing.idle or time.monotonic() > self._finish_by_s):
                saying_goodbye = True
                self._outgoing.retain(self._offline)
                self._finish_by_s = time.monotonic() + GOODBYE_S
            if saying_goodbye and (self._outgoing.idle or time.monotonic() > self._finish_by_s):
                connection.close()
                self._outgoing.disconnected()
                return
            self._send_waiting(connection, in_flight)
            self._settle(connection.step(0.05 if self._stopping.is_set() else 1.0, self._wake_reader), in_flight)
            self._drain_wake()
            if in_flight and time.monotonic() - next(iter(in_flight.values()))[1] > ACKNOWLEDGE_TIMEOUT_S:
                raise ConnectError(f"the broker has not acknowledged a message for {ACKNOWLEDGE_TIMEOUT_S:.0f} s")

    def _send_waiting(self, connection: Connection, in_flight: dict[int, tuple[Ticket, float]]) -> None:
        while not connection.congested and (ticket := self._outgoing.take(connection.window)) is not None:
            packet_id = connection.publish(ticket.message)
            if ticket.message.qos == 0:
                continue
            if packet_id is None:
                LOG.error("%s: the broker takes no message of %d bytes; dropped", ticket.message.topic, len(ticket.message.payload))
                self._outgoing.acknowledged(ticket, refused=True)
            else:
                in_flight[packet_id] = (ticket, time.monotonic())

    def _settle(self, answers: list[tuple[int, str | None]], in_flight: dict[int, tuple[Ticket, float]]) -> None:
        for packet_id, refusal in answers:
            if packet_id not in in_flight:
                continue  # paho reports sent QoS 0 messages here too
            ticket, _ = in_flight.pop(packet_id)
            if refusal is not None:
                LOG.error("%s: the broker refused the message (%s)", ticket.message.topic, refusal)
            self._outgoing.acknowledged(ticket, refused=refusal is not None)

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_reader.recv(4096):
                pass
