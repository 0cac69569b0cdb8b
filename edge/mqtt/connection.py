"""One connection to the broker, from CONNECT until it ends."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.errors import ConfigError
from edge.message import Message
from edge.mqtt.refusal import (
    UNSUPPORTED_PROTOCOL_VERSION,
    ConnectError,
    RefusedError,
    SilentError,
    connack_failure,
    lost_failure,
    socket_failure,
)
from edge.mqtt.settings import BrokerSettings, TlsSocket
from edge.mqtt.subscription import Delivery, Subscription

WINDOW = 20  # QoS 1 messages in flight; paho's own default
LARGEST_TAKEN = 64 * 1024  # bytes of a packet; a broker that speaks MQTT 5 keeps what is larger to itself
CONNECT_TIMEOUT_S = 5.0  # for TCP and the TLS handshake, and again for the broker's answer


@dataclass(frozen=True, slots=True)
class Answer:
    """The broker's acknowledgement of a packet; `refusal` is its reason in words when it does not take the message."""

    packet_id: int
    code: int
    refusal: str | None


def _read_password(settings: BrokerSettings) -> str | None:
    try:
        return settings.read_password()
    except ConfigError as error:
        raise RefusedError(str(error)) from error


class _Client(paho.Client):
    """Takes in the beginning of a packet that is too large, and passes over the rest.

    A broker that speaks MQTT 3.1.1 delivers up to 256 MiB, and a retained message again on each connection: to end the connection would
    leave a node that cannot speak. paho asks for all that is missing of a packet at once, and counts what it is given.
    """

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize <= LARGEST_TAKEN:
            return super()._sock_recv(bufsize)
        data = super()._sock_recv(LARGEST_TAKEN)
        packet = self._in_packet
        if len(packet["packet"]) < LARGEST_TAKEN or not data:
            return data
        packet["to_process"] -= len(data) - 1
        del packet["packet"][LARGEST_TAKEN:]
        return data[-1:]


class Connection:
    """A paho client that lives as long as one connection and is used by one thread only.

    A new client for each connection keeps paho's own queue out of the game: what is unacknowledged stays in our `Outbox`, bounded, and
    paho never holds more than `WINDOW` messages. Its loop is driven from outside (paho's "external event loop") because its own
    reconnecting thread has no jitter and hides why a connect failed.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        will: Message | None,
        tls: ssl.SSLContext | None,
        subscriptions: Sequence[Subscription] = (),
        keep_s: int = 0,
    ) -> None:
        """For `keep_s` after the connection the broker keeps what comes at QoS 1 for the next one with our client id."""
        self._keep_s = keep_s
        self._settings = settings
        self._subscriptions = tuple(subscriptions)
        self._asked: dict[int | None, Subscription] = {}  # by the packet that asks for them
        is_v5 = settings.protocol == "5"
        self._client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if is_v5 else not keep_s,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,  # also keeps paho from trying MQTT 3.1 behind our back
        )
        self._is_v5 = is_v5
        self._client.max_inflight_messages_set(WINDOW)
        self._client.max_queued_messages_set(2 * WINDOW)
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=will.qos, retain=will.retain)
        if settings.username is not None:
            self._client.username_pw_set(settings.username, _read_password(settings))
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._connack: ReasonCode | None = None
        self._goodbye: ReasonCode | None = None
        self.largest_packet = 2**28  # bytes; what MQTT has no more of
        self._answers: list[Answer] = []
        self._socket: object = None  # paho forgets its own before anybody can ask it what went wrong
        self.window = WINDOW

    def open(self) -> None:
        """Connect and wait for the broker's answer.

        Raises
        ------
        RefusedError
            when the broker will not have us or cannot be trusted.
        ConnectError
            when it cannot be reached.
        """
        try:
            properties = self._connect_properties()
            self._client.connect(
                self._settings.host,
                self._settings.port,
                keepalive=self._settings.keepalive_s,
                clean_start=not self._keep_s if self._is_v5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
            )
        except (OSError, ValueError) as error:
            raise socket_failure(error, self._settings) from error
        self._socket = self._client.socket()
        deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
        while self._connack is None:
            if time.monotonic() > deadline_s:
                self.abort()
                # Some brokers that know only 3.1.1 wait for more of a CONNECT that they misread.
                hint = "; if it is an old one, set mqtt.protocol: '3.1.1'" if self._is_v5 else ""
                raise ConnectError(f"the broker takes the connection but does not answer{hint}")
            self.step(0.1)
        if self._connack.is_failure:
            self.abort()
            raise connack_failure(self._connack.value, self._connack.getName(), self._settings)
        self._subscribe()

    def _connect_properties(self) -> Properties | None:
        if not self._is_v5 or not self._subscriptions:
            return None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
        properties.MaximumPacketSize = LARGEST_TAKEN
        if self._keep_s:
            properties.SessionExpiryInterval = self._keep_s
        return properties

    def _subscribe(self) -> None:
        for subscription in self._subscriptions:
            if self._is_v5:  # as published: so that a retained command is recognised the first time
                options = SubscribeOptions(qos=subscription.qos, retainAsPublished=True)
                _, packet_id = self._client.subscribe(subscription.topic_filter, options=options)
            else:
                _, packet_id = self._client.subscribe(subscription.topic_filter, subscription.qos)
            self._asked[packet_id] = subscription

    def publish(self, message: Message) -> int | None:
        """Hand a message to paho and return its packet id, or None if the broker accepts no message this large.

        Raises
        ------
        ValueError
            when MQTT has no such message: a wildcard in its topic, say.
        """
        if len(message.payload) + len(message.topic) + 16 > self.largest_packet:
            return None
        properties = None
        if self._is_v5 and message.expiry_s is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho
            properties.MessageExpiryInterval = message.expiry_s
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        return info.mid

    def step(self, timeout_s: float, wake: socket.socket | None = None) -> list[Answer]:
        """Wait for the network (or for a byte on `wake`), serve it, and return the acknowledgements.

        Raises
        ------
        ConnectError
            when the connection is gone.
        """
        sock = self._client.socket()
        if sock is None:
            raise self._lost()
        # Bytes that TLS has already decrypted do not show in select.
        pending = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        readers = [sock] if wake is None else [sock, wake]
        writers = [sock] if self._client.want_write() else []
        readable, writable, _ = select.select(readers, writers, [], 0.0 if pending else timeout_s)
        result = MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            if pending or sock in readable:
                result = self._client.loop_read()
            if not result and sock in writable:
                result = self._client.loop_write()
            if not result:
                result = self._client.loop_misc()
        except Exception as error:  # paho raises what it likes when the other side does not speak MQTT
            raise ConnectError(f"the broker sent something that is not MQTT ({type(error).__name__}: {error})") from error
        if self._client.socket() is None or result:
            raise self._lost(result)
        answers, self._answers = self._answers, []
        return answers

    @property
    def congested(self) -> bool:
        """True while the socket takes no more; sending on would only pile up packets in paho."""
        return self._client.want_write()

    def close(self) -> None:
        """Say goodbye, so that the broker does not publish the will."""
        self._client.disconnect()
        deadline_s = time.monotonic() + 1.0
        while self._client.socket() is not None and self._client.want_write() and time.monotonic() < deadline_s:
            self._client.loop_write()
            time.sleep(0.01)
        self.abort()

    def abort(self) -> None:
        """Close the socket without a disconnect message."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _lost(self, result: MQTTErrorCode = MQTTErrorCode.MQTT_ERR_CONN_LOST) -> ConnectError:
        if self._connack is not None and self._connack.is_failure:
            return connack_failure(self._connack.value, self._connack.getName(), self._settings)
        if self._goodbye is not None:
            return lost_failure(self._goodbye.value, self._goodbye.getName(), self._settings)
        if isinstance(self._socket, TlsSocket) and self._socket.failure is not None:
            return socket_failure(self._socket.failure, self._settings)
        if self._connack is None:
            if result == MQTTErrorCode.MQTT_ERR_PROTOCOL:
                return connack_failure(UNSUPPORTED_PROTOCOL_VERSION, "unsupported protocol version", self._settings)
            hint = "is this its TLS port?" if self._settings.tls is None else "it may require a client certificate (mqtt.tls.cert_file)"
            return ConnectError(f"the broker closed the connection before answering; {hint}")
        if result == MQTTErrorCode.MQTT_ERR_KEEPALIVE:
            return ConnectError("the broker stopped answering")
        return SilentError("connection lost")

    def _on_connect(self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        self._connack = reason
        self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        self.largest_packet = getattr(properties, "MaximumPacketSize", self.largest_packet)

    def _on_publish(self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties | None) -> None:
        self._answers.append(Answer(mid, reason.value, reason.getName().lower() if reason.is_failure else None))

    def _on_subscribe(self, _client: paho.Client, _data: Any, mid: int, reasons: list[ReasonCode], _properties: Properties | None) -> None:
        refusals = [reason.getName().lower() for reason in reasons if reason.is_failure]
        if mid in self._asked:
            self._asked.pop(mid).answered(refusals[0] if refusals else None)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        retained = message.retain or (False if self._is_v5 else None)
        delivery = Delivery(message.topic, bytes(message.payload), retained)
        for subscription in self._subscriptions:
            if paho.topic_matches_sub(subscription.topic_filter, delivery.topic):
                subscription.deliver(delivery)

    def _on_disconnect(self, _client: paho.Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Properties | None) -> None:
        if flags.is_disconnect_packet_from_server:
            self._goodbye = reason
