"""Messages that one connection has sent and the broker has not acknowledged yet."""

from __future__ import annotations

import logging
import time

from edge.mqtt.connection import Answer, Connection
from edge.mqtt.outgoing import Outgoing, Ticket
from edge.mqtt.refusal import NOT_AUTHORIZED, TRANSIENT, ConnectError

LOG = logging.getLogger("auscult.mqtt")
ACKNOWLEDGE_TIMEOUT_S = 30.0


class InFlight:
    """Lives as long as its connection, and is used by one thread only."""

    def __init__(self, connection: Connection, outgoing: Outgoing) -> None:
        self._connection = connection
        self._outgoing = outgoing
        self._tickets: dict[int, tuple[Ticket, float]] = {}  # by packet id: what, and since when
        self._dropped_topics: set[str] = set()

    @property
    def has_room(self) -> bool:
        """Whether one more would be sent now."""
        return len(self._tickets) < self._connection.window and not self._connection.congested

    def send(self) -> None:
        """Send what waits, as far as the connection takes it."""
        connection = self._connection
        while not connection.congested and (ticket := self._outgoing.take(connection.window)) is not None:
            try:
                packet_id = connection.publish(ticket.message)
            except ValueError as error:  # one message that cannot be sent must not hold up all others, on this connection and the next
                self._drop(ticket, f"no such message can be sent ({error})")
                continue
            if packet_id is None:
                size, most = len(ticket.message.payload), connection.largest_packet
                self._drop(ticket, f"{size} bytes, and the broker accepts packets of at most {most}; raise its max_packet_size")
            elif ticket.message.qos:
                self._tickets[packet_id] = (ticket, time.monotonic())

    def settle(self, answers: list[Answer]) -> None:
        """Take the broker's answers; ConnectError when it takes nothing now, or has not answered for half a minute."""
        for answer in answers:
            if answer.packet_id not in self._tickets:
                continue  # paho reports sent QoS 0 messages here too
            ticket, _ = self._tickets.pop(answer.packet_id)
            if answer.code in TRANSIENT:
                raise ConnectError(f"the broker does not take messages now ({answer.refusal})")
            if answer.refusal is not None:
                advice = "; check its access rules (ACL)" if answer.code == NOT_AUTHORIZED else ""
                self._drop(ticket, f"the broker refused the message ({answer.refusal}){advice}")
            else:
                self._outgoing.acknowledged(ticket, refused=False)
        if self._tickets and time.monotonic() - next(iter(self._tickets.values()))[1] > ACKNOWLEDGE_TIMEOUT_S:
            raise ConnectError(f"the broker has not acknowledged a message for {ACKNOWLEDGE_TIMEOUT_S:.0f} s")

    def _drop(self, ticket: Ticket, why: str) -> None:
        """Give a message up. Of a topic other than events it is said once: `health` comes every minute."""
        topic = ticket.message.topic
        if ticket.entry is not None or topic not in self._dropped_topics:
            LOG.error("%.200r: %s; dropped", topic, why)
        self._dropped_topics.add(topic)
        if ticket.message.qos:
            self._outgoing.acknowledged(ticket, refused=True)
