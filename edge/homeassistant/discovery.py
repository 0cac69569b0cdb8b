"""Publishes the discovery message, again after a change or a start of Home Assistant, and deletes old ones."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from edge import device_health
from edge.config.schema import Config, Verb
from edge.homeassistant.components import device_payload
from edge.homeassistant.told_topics import ToldTopics
from edge.mqtt.subscription import Delivery, Subscription
from edge.mqtt.topics import Topics

LOG = logging.getLogger("auscult")
BIRTH_WAIT_S = (1.0, 5.0)  # after Home Assistant has started: not all nodes at the same moment
MOST_GONE = 32  # removed sources in the message; it must not grow without bound


class PublisherLike(Protocol):
    """What is needed of `edge.mqtt.publisher.Publisher`."""

    @property
    def idle(self) -> bool:
        """Whether the broker has everything."""

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1, retained."""


class Discovery:
    """Used by the worker's thread. If discovery is disabled, it only deletes old messages."""

    def __init__(
        self,
        config: Config,
        topics: Topics,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        root: Path = Path("/"),
    ) -> None:
        """`root` is the root of the file system, for the device's temperature."""
        section = config.homeassistant
        self._topics = topics
        self._clock = clock
        self._rng = rng or random.Random()
        self._verbs: Sequence[Verb] = config.commands.allow if config.commands.enabled else ()
        self._has_board = device_health.temperature_c(root) is not None
        self._topic = f"{section.prefix}/device/auscult_{topics.node}/config" if section.enabled else None
        self._told = ToldTopics(config.discovery_path)
        self._old = [topic for topic in self._told.read() if topic != self._topic]
        self._withdrawn = False
        self._gone: list[str] = []
        self._payload = b""
        self._again_s: float | None = None  # when to publish it again
        without = "restarts of Home Assistant go unnoticed (the retained message still works)"
        self.subscriptions = [Subscription(f"{section.prefix}/status", self._deliver, without)] if section.enabled else []

    def publish(self, publisher: PublisherLike, sources: Sequence[str], gone: Collection[str]) -> None:
        """Publish the discovery message for these sources, and remove the entities of those in `gone`."""
        if not self._withdrawn:
            self._withdraw(publisher)
        if self._topic is None:
            return
        self._gone = [name for name in dict.fromkeys([*self._gone, *gone]) if name not in sources][-MOST_GONE:]
        payload = msgspec.json.encode(device_payload(self._topics, sources, self._gone, self._verbs, self._has_board))
        if payload != self._payload:
            self._payload = payload
            publisher.retain(self._topic, payload)
            LOG.info("Home Assistant: published %s in %s (%d bytes)", ", ".join(sources), self._topic, len(payload))

    def check(self, publisher: PublisherLike) -> None:
        """Publish again after a start of Home Assistant, and forget old topics when the broker has deleted them."""
        if self._again_s is not None and self._clock() >= self._again_s and self._topic is not None:
            self._again_s = None
            publisher.retain(self._topic, self._payload)
        if self._old and publisher.idle:
            self._old = []
            self._told.write([self._topic] if self._topic is not None else [])

    def _withdraw(self, publisher: PublisherLike) -> None:
        self._withdrawn = True
        for topic in self._old:
            LOG.info("Home Assistant: removing %s", topic)
            publisher.retain(topic, b"")
        if self._topic is not None:
            self._told.write([*self._old, self._topic])

    def _deliver(self, delivery: Delivery) -> None:
        """Called in the network thread with Home Assistant's birth message."""
        if delivery.payload == b"online" and self._again_s is None:
            self._again_s = self._clock() + self._rng.uniform(*BIRTH_WAIT_S)
