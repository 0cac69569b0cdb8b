"""A subscriber that writes down every message of the node, with a session that the broker keeps while either of them is away."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any, TextIO

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.broker import HOST

SESSION_S = 3600
RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came."""

    topic: str  # behind the node's
    payload: bytes
    again: bool  # the broker says that it may have sent it before (DUP)

    @property
    def json(self) -> dict[str, Any]:
        """The payload, parsed."""
        parsed: dict[str, Any] = json.loads(self.payload)
        return parsed


class Recorder:
    """Connected straight to the broker; QoS 1, clean_start false. A message is acknowledged when it has been written down."""

    def __init__(self, port: int, node: str, log: TextIO) -> None:
        self.arrivals: list[Arrival] = []
        self.sessions_lost = -1  # the first one is none
        self.connected_at_s: float | None = None  # monotonic; None while the broker is away
        self._heard_s: dict[str, float] = {}  # topic -> when its last message came
        self._log = log
        self._base = f"auscult/{node}/"
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="recorder", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(RETRY_S, RETRY_S)  # type: ignore[arg-type]  # paho says int, and only waits for it
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
        properties.SessionExpiryInterval = SESSION_S
        self._client.connect(HOST, port, clean_start=False, properties=properties)
        self._client.loop_start()
        if not self._subscribed.wait(10.0):
            raise RuntimeError("the broker does not confirm the recorder's subscription")

    def events(self) -> list[Arrival]:
        """The event messages so far."""
        return [arrival for arrival in list(self.arrivals) if arrival.topic.endswith("/event")]

    def heard_s(self, topic: str) -> float | None:
        """When (monotonic) the last message came on a topic that ends so."""
        return max((at_s for name, at_s in list(self._heard_s.items()) if name.endswith(topic)), default=None)

    def opened(self) -> set[str]:
        """The ids of the events that are known to have opened."""
        return {event["id"] for event in (arrival.json for arrival in self.events()) if event["type"] == "opened"}

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Client, _data: Any, flags: Any, *_: Any) -> None:
        if not flags.session_present:
            self.sessions_lost += 1
            client.subscribe(f"{self._base}#", options=SubscribeOptions(qos=1, retainAsPublished=True))
        self.connected_at_s = time.monotonic()

    def _on_disconnect(self, *_: Any) -> None:
        self.connected_at_s = None

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        arrival = Arrival(message.topic.removeprefix(self._base), bytes(message.payload), message.dup)
        print(
            f"{time.monotonic():.3f} {'again ' if arrival.again else ''}{message.topic} {message.payload.decode()}",
            file=self._log,
            flush=True,
        )
        self._heard_s[arrival.topic] = time.monotonic()
        self.arrivals.append(arrival)
