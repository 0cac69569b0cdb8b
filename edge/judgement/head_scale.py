"""The values of a head in normal sound: the unit of its surprise. Fitted by calibrate/head_scale.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

MOST_CELLS = 1 << 40  # of a statistic: more than centuries of sound


@dataclass(frozen=True, slots=True)
class HeadScale:
    """Surprise is counted in nats above `onset`, which one in ten of normal sound reaches: each `scale` further is e times rarer."""

    onset: float
    scale: float
    centre: float  # what normal sound is like: the median
    cells: int  # over how many the statistic was taken; fewer make it less certain

    def check(self) -> None:
        """Raise ValueError when this is no scale at all."""
        if not (self.scale > 0 and 0 < self.cells < MOST_CELLS and np.isfinite([self.onset, self.scale, self.centre]).all()):
            raise ValueError(f"a head of onset {self.onset:g}, scale {self.scale:g} and {str(self.cells)[:20]} cells")

    def surprise(self, statistic: Float64, cells: int) -> Float64:
        """Surprise of a statistic, of any shape, that was taken over so many cells."""
        wider = np.sqrt(max(1.0, self.cells / cells))
        surprise: Float64 = (statistic - (self.centre + wider * (self.onset - self.centre))) / (wider * self.scale)
        return surprise
