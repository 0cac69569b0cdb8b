"""A backbone that computes a whole recording at once instead of streaming: the reference of the parity gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from edge.features.backbone import BLOCK_SHAPES, Features
from edge.features.frontend import FrontEnd

Float32 = NDArray[np.float32]
Offline = Callable[[Float32], Mapping[str, Float32]]  # (time, mel) -> block2 .. block4, each (time, mel, channel)


class OfflineBackbone:
    """Plays one recording twice: the first stream only listens, the second is given the features of the whole."""

    def __init__(self, front_end: FrontEnd, offline: Offline) -> None:
        self.front_end = front_end
        self._offline = offline
        self._heard: list[Float32] = []
        self._features: Iterator[Features] | None = None

    def stream(self) -> OfflineBackbone:
        """Start a stream; if the recording was computed before, start again with its features."""
        if self._heard:
            self._features = self._whole(self._offline(np.concatenate(self._heard)))
        return self

    def push(self, log_mel: Float32) -> Features:
        """One block in, the features of the block before it out, as a `BackboneStream` does."""
        if self._features is None:
            self._heard.append(log_mel.copy())
            return _silence()
        return next(self._features)

    def _whole(self, blocks: Mapping[str, Float32]) -> Iterator[Features]:
        yield _silence()  # what a stream says before its first block has come through
        for index in range(len(self._heard)):
            yield Features(**{name: blocks[name][index * cells : (index + 1) * cells] for name, (cells, _, _) in BLOCK_SHAPES.items()})


def _silence() -> Features:
    return Features(**{name: np.zeros(shape, np.float32) for name, shape in BLOCK_SHAPES.items()})
