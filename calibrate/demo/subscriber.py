"""The demo's subscriber: an MQTT client that receives what any subscriber of the node receives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TypeVar

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import AuscultError
from edge.mqtt.payloads import EventPayload, ScorePayload
from edge.mqtt.topics import Topics

CONNECT_TIMEOUT_S = 20.0
Self = TypeVar("Self", bound="Subscriber")  # typing has it from Python 3.11 on


class Subscriber:
    """Hands what arrives on a few topics to their handlers, in the order in which it arrives, while the `with` block runs."""

    def __init__(self, host: str, port: int, status_topic: str, handlers: Mapping[str, Callable[[bytes | bytearray], object]]) -> None:
        """Handlers (topic -> payload) are called in the client's thread; `status_topic` is the node's."""
        self._host, self._port = host, port
        self._status_topic = status_topic
        self._handlers = dict(handlers)
        self._subscribed = threading.Event()
        self._online = False
        self._gone = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="auscult-subscriber", protocol=mqtt.MQTTv311)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self: Self) -> Self:
        """Connect and subscribe; AuscultError when the broker does not confirm it in time."""
        self._client.connect(self._host, self._port)
        self._client.loop_start()
        if not self._subscribed.wait(CONNECT_TIMEOUT_S):
            raise AuscultError(f"{self._host}:{self._port}", "the broker did not confirm the subscription")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def wait_until_offline(self, timeout_s: float) -> bool:
        """Wait for the node's last message, which comes after everything else; return whether it came."""
        return self._gone.wait(timeout_s)

    def _on_connect(
        self, client: mqtt.Client, userdata: object, flags: mqtt.ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if not reason.is_failure:
            client.subscribe([(topic, 1) for topic in (*self._handlers, self._status_topic)])

    def _on_subscribe(
        self, client: mqtt.Client, userdata: object, message_id: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        self._subscribed.set()

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        if message.topic in self._handlers:
            self._handlers[message.topic](message.payload)
        elif message.payload == b"online":
            self._online = True
        elif self._online:
            self._gone.set()


class DemoSubscriber(Subscriber):
    """Collects the events and scores of one source."""

    def __init__(self, host: str, port: int, node: str, source: str) -> None:
        self.events: list[EventPayload] = []
        self.scores: list[ScorePayload] = []
        topics = Topics(node)
        super().__init__(host, port, topics.status, {topics.event(source): self._event, topics.score(source): self._score})

    def _event(self, payload: bytes | bytearray) -> None:
        self.events.append(msgspec.json.decode(payload, type=EventPayload))

    def _score(self, payload: bytes | bytearray) -> None:
        self.scores.append(msgspec.json.decode(payload, type=ScorePayload))
