"""Detectors that judge each cell separately: a map of their own and the loudness, both for the same cells, without a lag."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import DetectorStream, Deviation, real_cells
from edge.detectors.loudness import Loudness
from edge.detectors.standard import Standard
from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]


class CellwiseStream(DetectorStream):
    """The state of such a detector for one segment: of its own it has none."""

    def __init__(self, distances: Callable[[FeatureBlock], Float32], own: Standard, loudness: Loudness) -> None:
        """`distances` gives those of a block's 8 cells, shape = (8, band), and `own` their scale."""
        self._distances = distances
        self._own = own
        self._loudness = loudness.stream()

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; see `DetectorStream.push`."""
        self._loudness.push(block)
        real = real_cells(block.first_cell, cells)
        if real.stop <= real.start:
            return []
        first_cell = block.first_cell + real.start
        # All 8 cells are computed, so that a cell's distance does not depend on how many of its block are real.
        own = self._own.deviation(first_cell, self._distances(block)[real])
        return [own, *self._loudness.deviations(first_cell, len(own.values))]
