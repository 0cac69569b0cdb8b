"""A source that does what its script says, for what no sound server does on demand, and a publisher that keeps what it is given."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import Block
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.node.health import InferenceTimes
from edge.node.listener_like import ListenerLike
from edge.node.source_publisher import SourcePublisher
from edge.node.source_worker import SourceWorker
from tests.edge.node.tiny_daemon import LoudnessListener, make_bundle

RATE_HZ = 16000


class Said:
    """Everything that would be published, in order: (topic, payload)."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Any]] = []

    def retain(self, topic: str, payload: bytes) -> None:
        """As the publisher's."""
        self.messages.append((topic, json.loads(payload) if payload.startswith(b"{") else payload.decode()))

    send = retain

    has_room = True

    def queue(self, topic: str, payload: bytes, **_event: object) -> None:
        """As the publisher's."""
        self.retain(topic, payload)

    epoch = "5e"

    def next_seq(self, _source: str) -> int:
        """As the publisher's."""
        return 1 + len(self.of("event"))

    def of(self, name: str) -> list[Any]:
        """The payloads of one topic."""
        return [payload for topic, payload in self.messages if topic.endswith(f"/{name}")]


class ScriptedSource:
    """Each read gives the next step: a block, an error to raise, or None. `waiting` is what waits behind the reader."""

    name = "pump1"
    device = "scripted"
    xruns = 0
    live = True

    def __init__(self, steps: Iterable[Block | Exception | None] = (), rates_hz: Iterable[int | Exception] = (RATE_HZ,)) -> None:
        self.steps = list(steps)
        self.rates_hz = list(rates_hz)  # one for each opening, the last for all others
        self.rate_hz = 0
        self.finished = False
        self.stalled_s = 0.0
        self.waiting_s = 0.0
        self.opened = 0

    def open(self) -> None:
        """Take the next rate, or fail."""
        rate_hz = self.rates_hz[min(self.opened, len(self.rates_hz) - 1)]
        self.opened += 1
        if isinstance(rate_hz, Exception):
            raise rate_hz
        self.rate_hz = rate_hz

    @property
    def ready(self) -> bool:
        """Whether the script goes on."""
        return bool(self.steps)

    def read(self) -> Block | None:
        """The next step."""
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def skip(self, samples: int) -> int:
        """What waits is thrown away."""
        self.waiting_s -= samples / self.rate_hz
        return samples

    def close(self) -> None:
        """Nothing to do."""


def noise(seconds: float, level: float = 0.1, rate_hz: int = RATE_HZ, lost_samples: int = 0, heard_at_s: float | None = None) -> Block:
    """A block of noise."""
    samples: NDArray[np.float32] = np.random.default_rng(0).uniform(-level, level, round(seconds * rate_hz)).astype(np.float32)
    return Block(samples, lost_samples, heard_at_s)


def make_worker(
    source: ScriptedSource, folder: Path, make_listener: type[ListenerLike] | Any = LoudnessListener
) -> tuple[SourceWorker, Said]:
    """A worker on a scripted source, and what it says."""
    said = Said()
    bundle = make_bundle(folder / "pump1.auscult")
    publisher = SourcePublisher("pump1", cast(Publisher, said), Topics("test"))
    return SourceWorker(source, bundle, make_listener, publisher, InferenceTimes()), said
