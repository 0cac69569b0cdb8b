"""What the daemon needs of `edge.homeassistant.discovery.Discovery`, which is imported only if it is enabled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from edge.mqtt.publisher import Publisher
from edge.mqtt.subscription import Subscription


class DiscoveryLike(Protocol):
    """Publishes discovery messages for Home Assistant."""

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """Its subscriptions at the broker."""

    def publish(self, publisher: Publisher, sources: Sequence[str], gone: Collection[str]) -> None:
        """Publish the discovery message for these sources, and remove the entities of those in `gone`."""

    def check(self, publisher: Publisher) -> None:
        """Do what is due; called in every round."""
