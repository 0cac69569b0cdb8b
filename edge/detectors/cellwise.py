"""Detectors that judge each cell by itself: a map of their own beside the level, both for the same cells, without a lag."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.comparison import Comparison
from edge.detectors.detector import LEVEL, Deviation, real_cells
from edge.detectors.standard import Standard
from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]


class CellwiseStream:
    """The state of such a detector for one segment: it has none."""

    def __init__(self, distances: Callable[[FeatureBlock], Float32], own: Standard, level: Comparison) -> None:
        """`distances` gives those of a block's 8 cells, shape = (8, band), and `own` their scale."""
        self._distances = distances
        self._own = own
        self._level = level

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; see `DetectorStream.push`."""
        real = real_cells(block.first_cell, cells)
        if real.stop <= real.start:
            return []
        first_cell = block.first_cell + real.start
        # All 8 cells are computed, so that a cell's distance does not depend on how many of its block are real.
        own = self._own.deviation(first_cell, self._distances(block)[real])
        return [own, self._level.deviation(first_cell, block.level_db[real, None, None])]


def level_comparison(fitted: Arrays) -> Comparison:
    """The level as `calibrate/fitters/level.py` fits it; KeyError or ValueError when it is something else."""
    return Comparison(LEVEL, fitted, 1, 1)
