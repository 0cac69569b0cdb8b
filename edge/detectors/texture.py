"""Textures: means over about a second. A steady tone that should not be there moves a mean far more than any single patch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import BLOCK_CELLS

Float32 = NDArray[np.float32]

TEXTURE_BLOCKS = 4
TEXTURE_CELLS = TEXTURE_BLOCKS * BLOCK_CELLS  # 32 cells, 1.28 s at 32 kHz


class Texture:
    """The running mean of one feature over the last 32 cells, a new one for every block."""

    def __init__(self) -> None:
        self._sums: list[Float32] = []  # of the last blocks, each of the feature's shape without time
        self._counts: list[int] = []  # cells in each

    def push(self, cells: Float32, final: bool) -> tuple[Float32, int] | None:
        """Take the cells of one block, shape = (n, ...); return the mean, shape = (1, ...), and how many cells it spans.

        None until 32 cells have been heard; a segment that ends before (`final`) has one texture of its own length.
        """
        if len(cells):
            self._sums.append(cells.sum(axis=0))
            self._counts.append(len(cells))
            if len(self._sums) > TEXTURE_BLOCKS:
                del self._sums[0], self._counts[0]
        span = sum(self._counts)
        if not len(cells) or not span or (span < TEXTURE_CELLS - 1 and not final):
            return None
        mean: Float32 = (np.sum(self._sums, axis=0, keepdims=True) / np.float32(span)).astype(np.float32)
        return mean, span
