"""Messages that one connection has sent and the broker has not acknowledged yet."""

from __future__ import annotations

import logging
import time

from edge.mqtt.connection import Answer, Connection
from edge.mqtt.outgoing import Outgoing, Ticket
from edge.mqtt.refusal import TRANSIENT, ConnectError

LOG = logging.getLogger("auscult.mqtt")
ACKNOWLEDGE_TIMEOUT_S = 30.0


class InFlight:
    """Lives as long as its connection, and is used by one thread only."""

    def __init__(self, connection: Connection, outgoing: Outgoing) -> None:
        self._connection = connection
        self._outgoing = outgoing
        self._tickets: dict[int, tuple[Ticket, float]] = {}  # by packet id: what, and since when

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
                LOG.error("%.200r: no such message can be sent (%s); dropped", ticket.message.topic, error)
                if ticket.message.qos:
                    self._outgoing.acknowledged(ticket, refused=True)
                continue
            if ticket.message.qos == 0:
                continue
            if packet_id is None:
                LOG.error("%s: the broker takes no message of %d bytes; dropped", ticket.message.topic, len(ticket.message.payload))
                self._outgoing.acknowledged(ticket, refused=True)
            else:
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
                LOG.error("%s: the broker refused the message (%s)", ticket.message.topic, answer.refusal)
            self._outgoing.acknowledged(ticket, refused=answer.refusal is not None)
        if self._tickets and time.monotonic() - next(iter(self._tickets.values()))[1] > ACKNOWLEDGE_TIMEOUT_S:
            raise ConnectError(f"the broker has not acknowledged a message for {ACKNOWLEDGE_TIMEOUT_S:.0f} s")
