"""What the daemon needs of `edge.homeassistant.discovery.Discovery`, which it imports only where it is enabled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from edge.mqtt.publisher import Publisher
from edge.mqtt.subscription import Subscription


class DiscoveryLike(Protocol):
    """Tells Home Assistant what there is."""

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """What it listens to."""

    def publish(self, publisher: Publisher, sources: Sequence[str], gone: Collection[str]) -> None:
        """These are the sources from now on, and `gone` are no more."""

    def check(self, publisher: Publisher) -> None:
        """Do what is due."""
