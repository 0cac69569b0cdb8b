"""The node's subscriptions at the broker: a filter, and a function that is called for each message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge.mqtt.payloads import SubscriptionState

LOG = logging.getLogger("auscult.mqtt")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message from the broker."""

    topic: str
    payload: bytes
    retained: bool | None  # None when the broker does not say: over MQTT 3.1.1 it only does of what it had before it was asked


class Subscription:
    """Made for each connection. `deliver` is called in the network thread, must not wait and must not raise."""

    def __init__(
        self, topic_filter: str, deliver: Callable[[Delivery], None], without: str = "no commands arrive", qos: Literal[0, 1] = 1
    ) -> None:
        """`without` is for the log: what does not work if the broker refuses the subscription."""
        self.topic_filter = topic_filter
        self.qos = qos
        self._without = without
        self.deliver = deliver
        self.state: SubscriptionState = "waiting"
        self.reason: str | None = None  # why the broker did not take it
        self._told: str | None = None

    def answered(self, refusal: str | None) -> None:
        """The broker has accepted the subscription, or says why not."""
        self.state = "subscribed" if refusal is None else "refused"
        self.reason = refusal
        if refusal is not None and refusal != self._told:
            text = "%s: the broker does not let us subscribe (%s), so %s; see its access rules"
            LOG.error(text, self.topic_filter, refusal, self._without)
        self._told = refusal

    def lost(self) -> None:
        """The connection is gone."""
        self.state = "waiting"
