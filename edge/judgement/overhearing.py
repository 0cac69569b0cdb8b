"""What somebody who learns from a stream is told of it: see `Overhearing` in edge/pipeline.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge.judgement.long_average import LongAverage
from edge.judgement.timeline import Span
from edge.judgement.window import Window

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeardWindow:
    """A window that was judged. Its arrays are views that the next block overwrites."""

    span: Span
    is_anomalous: bool
    steady_nats: float  # of the heads of steady sound
    long_average: LongAverage
    judged: Window
    is_doubtful: bool  # anomalous, or of an event, or like a real fault: not to be taken for normal
    left_out: NDArray[np.bool_]  # (time,) cells of taught sounds, which no head has judged


@runtime_checkable
class PatchHearing(Protocol):
    """Hears a stream as its detector does."""

    def patches(self, first_cell: int, patches: Mapping[str, Float32]) -> None:
        """The patches of consecutive cells from an absolute cell on, feature -> (time, band, dimension)."""
