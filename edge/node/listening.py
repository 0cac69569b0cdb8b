"""A listener at work: what it says is published, and how long it takes is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.node.health import InferenceTimes
from edge.node.source_publisher import SourcePublisher


class ListenerLike(Protocol):
    """What is needed of `edge.pipeline.Listener`."""

    def push(self, samples: NDArray[np.float32]) -> Sequence[Window | Event]:
        """Add samples (samples,) at the native rate; return what they completed."""

    def lose(self, samples: int) -> Sequence[Window | Event]:
        """Count samples that were lost; return what came to its end before them."""

    def finish(self) -> Sequence[Window | Event]:
        """The stream is over; return what was still open."""


class Listening:
    """Feeds one listener."""

    def __init__(self, listener: ListenerLike, publisher: SourcePublisher, inference: InferenceTimes) -> None:
        self._listener = listener
        self._publisher = publisher
        self._inference = inference
        self._work_s = 0.0  # since the last window

    def push(self, samples: NDArray[np.float32]) -> None:
        """Listen to samples (samples,) at the native rate."""
        self._work(lambda: self._listener.push(samples))

    def lose(self, samples: int) -> None:
        """So many samples were lost."""
        self._work(lambda: self._listener.lose(samples))

    def finish(self) -> None:
        """The stream is over."""
        self._work(self._listener.finish)

    def _work(self, work: Callable[[], Sequence[Window | Event]]) -> None:
        started_s = time.perf_counter()
        results = work()
        self._work_s += time.perf_counter() - started_s
        windows = sum(isinstance(result, Window) for result in results)
        for _ in range(windows):
            self._inference.add(1000.0 * self._work_s / windows)
        if windows:
            self._work_s = 0.0
        for result in results:
            if isinstance(result, Window):
                self._publisher.window(result)
            else:
                self._publisher.event(result)
