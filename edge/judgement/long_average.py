"""The averages of the last half minute of a stream: a lasting change is judged by all of it, so a change of half the size is found.

They are kept by block, for a window ends anywhere and this one ends with a whole block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import BLOCK_CELLS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

WINDOWS = 3  # that it is as long as
SPARE_BLOCKS = 8  # of sound, scored later


class LongAverage:
    """Collects the averages of cells by absolute cell, for one source."""

    def __init__(self, columns: int, window_cells: int) -> None:
        self._cells = WINDOWS * window_cells
        blocks = -(-self._cells // BLOCK_CELLS) + SPARE_BLOCKS + 1  # the last one may be cut off
        self._sums = np.zeros((blocks, columns), np.float32)
        self._counts = np.zeros((blocks, columns), np.float32)  # of cells that a column is known of
        self._heard = np.zeros(blocks, np.int64)  # cells
        self._ends = np.full(blocks, -1, np.int64)  # absolute cell behind each block; the next one overwrites the oldest
        self._next = 0

    def put(self, rows: Float32, first_cell: int) -> None:
        """Take the averages of a block's cells, shape = (up to 8, column), from the absolute cell `first_cell` on."""
        known = ~np.isnan(rows)
        self._sums[self._next] = np.where(known, rows, np.float32(0.0)).sum(axis=0)
        self._counts[self._next] = known.sum(axis=0)
        self._heard[self._next] = len(rows)
        self._ends[self._next] = first_cell + len(rows)
        self._next = (self._next + 1) % len(self._ends)

    def mean(self, last_cell: int, cells: int | None = None, left_out: NDArray[np.bool_] | None = None) -> tuple[Float64, int]:
        """The mean of the cells of blocks that end by the absolute cell `last_cell`, shape = (column,), and how many these are.

        Of blocks that end among the last `cells`, those of three windows if None; without those that hold a cell which is left out, of
        the cells before `last_cell`, shape = (time,).
        """
        first_cell = last_cell - (self._cells if cells is None else cells)
        wanted = (self._ends <= last_cell) & (self._ends > first_cell)
        if left_out is not None and left_out.any():
            before = np.concatenate([[0], np.cumsum(left_out)])  # (time + 1,)
            ends, starts = (np.clip(end - last_cell + len(left_out), 0, len(left_out)) for end in (self._ends, self._ends - self._heard))
            wanted &= before[ends] == before[starts]
        within = wanted.astype(np.float32)
        heard = int(within @ self._heard)
        with np.errstate(invalid="ignore", divide="ignore"):
            means: Float64 = ((within @ self._sums) / (within @ self._counts)).astype(np.float64)
        return means, heard
