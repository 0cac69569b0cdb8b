"""The connection to the broker: what the nodes say comes in, commands go out, and a lost connection is made again."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import BrokerError
from edge.message import Message
from edge.mqtt.backoff import Backoff
from edge.mqtt.connection import Connection
from edge.mqtt.link import Link
from edge.mqtt.payloads import BrokerState
from edge.mqtt.refusal import ConnectError, RefusedError
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.subscription import Delivery, Subscription
from edge.mqtt.wakeup import Wakeup

LOG = logging.getLogger("auscult.dashboard")

KEEP_S = 3 * 86_400  # for so long the broker keeps events for a dashboard that does not run
STEP_S = 0.25
MOST_WAITING = 100
LONGEST_WAIT_S = 5.0  # between tries: somebody looks at the page
COMMAND_EXPIRY_S = 30


NODE_TOPICS = ("status", "info", "health", "response/+")
SOURCE_TOPICS = ("availability", "state", "score", "event", "level", "cells", "learning")


def subscriptions(base: str, deliver: Callable[[Delivery], None]) -> list[Subscription]:
    """What is subscribed: events at QoS 1, so that none is missed; all else is retained, or outdated when it comes late."""
    filters = [*(f"{base}/+/{leaf}" for leaf in NODE_TOPICS), *(f"{base}/+/+/{leaf}" for leaf in SOURCE_TOPICS)]
    return [Subscription(name, deliver, "this is not shown", 1 if name.endswith("/event") else 0) for name in filters]


@dataclass(frozen=True, slots=True)
class BrokerLink:
    """How the connection is."""

    state: BrokerState
    reason: str | None
    since_s: float  # seconds since 1970


class Feed:
    """A thread of its own; `deliver` and `poll` are called in it, `on_link` whenever the connection comes or goes."""

    def __init__(
        self,
        settings: BrokerSettings,
        base_topic: str,
        deliver: Callable[[Delivery], None],
        poll: Callable[[], None],
        on_link: Callable[[BrokerLink], None],
    ) -> None:
        self._settings = settings
        self._tls: ssl.SSLContext | None = settings.tls.context() if settings.tls is not None else None
        self._subscriptions = subscriptions(base_topic, deliver)
        self._poll = poll
        self._on_link = on_link
        self._link = Link(Backoff(0.5, LONGEST_WAIT_S))
        self._waiting: deque[Message] = deque()
        self._wakeup = Wakeup()
        self._stopping = threading.Event()
        self._tried = threading.Event()
        self._refusal: str | None = None  # of the first try
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self, wait_s: float = 5.0) -> None:
        """Begin to connect.

        Raises
        ------
        BrokerError
            The broker is there and refuses us. One that is away is no error.
        """
        self._thread.start()
        self._tried.wait(wait_s)
        if self._refusal is not None:
            raise BrokerError(self._settings.endpoint, self._refusal)

    def stop(self) -> None:
        """Say goodbye."""
        self._stopping.set()
        self._wakeup.wake()
        if self._thread.ident is not None:
            self._thread.join(10.0)
        self._wakeup.close()

    @property
    def link(self) -> BrokerLink:
        """How the connection is now."""
        report = self._link.report()
        return BrokerLink(report.state, report.reason, report.since_s)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Publish a command now; False when there is no connection. From any thread."""
        if self._link.report().state != "connected" or len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(Message(topic, payload, expiry_s=COMMAND_EXPIRY_S))
        self._wakeup.wake()
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._live_once()
            except ConnectError as error:
                self._failed(error)
            except Exception:  # without this thread the page would show the past for ever, and not say so
                LOG.exception("unexpected; connecting again")
                self._failed(ConnectError("a mistake of the dashboard's own"))
            finally:
                self._tried.set()

    def _live_once(self) -> None:
        """One connection, from its beginning to its end."""
        connection = Connection(self._settings, None, self._tls, self._subscriptions, KEEP_S)
        connection.open()
        if self._link.connected():
            LOG.info("%s: connected", self._settings.endpoint)
        self._tell()
        self._tried.set()
        try:
            while not self._stopping.is_set():
                connection.step(STEP_S, self._wakeup.reader)
                self._wakeup.drain()
                while self._waiting and not connection.congested:
                    connection.publish(self._waiting.popleft())
                self._poll()
            connection.close()
        except ConnectError:
            connection.abort()
            raise
        finally:
            for subscription in self._subscriptions:
                subscription.lost()

    def _failed(self, error: ConnectError) -> None:
        failure, wait_s = self._link.failed(error, self._settings.client_id)
        if isinstance(failure, RefusedError) and not self._tried.is_set():
            self._refusal = str(failure)
            self._stopping.set()
            return
        if self._link.is_news(failure):
            LOG.warning("%s: %s; trying again", self._settings.endpoint, failure)
        self._waiting.clear()
        self._tell()
        until_s = time.monotonic() + wait_s
        while (left_s := until_s - time.monotonic()) > 0.0 and not self._stopping.wait(min(STEP_S, left_s)):
            self._poll()

    def _tell(self) -> None:
        self._on_link(self.link)
