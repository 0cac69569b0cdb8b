"""The averages of recordings, block by block (edge/features/cell_averages.py): hours of them fit into memory, and windows are sums."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import real_cells
from edge.features.cell_averages import AverageLayout, AverageStream
from edge.features.feature_extractor import PlacedBlock
from edge.features.frontend import BLOCK_CELLS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class BlockAverages:
    """One recording: of each block the mean over its cells."""

    def __init__(self, rows: Float32, cells: NDArray[np.int64]) -> None:
        """`rows`, shape = (block, column), is NaN where nothing was heard; `cells`, shape = (block,), were."""
        self._rows = rows
        self._cells = cells
        self.blocks = len(rows)
        self.cells = int(cells.sum())

    def mean(self, first: int, last: int) -> tuple[Float64, int]:
        """The mean over the cells of the blocks `first` .. `last` - 1, shape = (column,), NaN without sound, and their number."""
        rows, cells = self._rows[first:last].astype(np.float64), self._cells[first:last]
        known = ~np.isnan(rows)
        weights = np.where(known, cells[:, None], 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # nothing known: 0 / 0
            means: Float64 = (np.where(known, rows, 0.0) * weights).sum(axis=0) / weights.sum(axis=0)
        return means, int(cells.sum())


@dataclass(frozen=True, slots=True)
class AveragedBlocks:
    """The means over the real cells of some blocks of a recording."""

    places: Int64  # (block,) among all blocks of the recording
    rows: Float32  # (block, column)
    cells: Int64  # (block,) that are real


class BlockAverager:
    """The averages of one recording, pushed block by block."""

    def __init__(self, layout: AverageLayout) -> None:
        self._layout = layout
        self._segment = -1
        self._taken: list[tuple[int, Float32, int]] = []  # place, row, cells

    def push(self, heard: PlacedBlock) -> None:
        """Take a block, unless all of its cells are mirror images."""
        if heard.segment != self._segment:
            self._stream, self._segment = AverageStream(self._layout), heard.segment
        rows = self._stream.push(heard.block, heard.cells)
        real = real_cells(heard.block.first_cell, heard.cells)
        if real.stop > real.start:
            place = (heard.base_cell + heard.block.first_cell + real.start) // BLOCK_CELLS
            self._taken.append((place, rows[real].mean(axis=0, dtype=np.float64).astype(np.float32), real.stop - real.start))

    def take(self) -> AveragedBlocks:
        """The blocks since the last time."""
        taken, self._taken = self._taken, []
        rows = np.array([row for _, row, _ in taken], np.float32).reshape(-1, self._layout.width)
        places, cells = (np.array(numbers, np.int64) for numbers in ([place for place, _, _ in taken], [count for _, _, count in taken]))
        return AveragedBlocks(places, rows, cells)


def put_together(parts: Sequence[AveragedBlocks]) -> BlockAverages | None:
    """The blocks of one recording; None when it contains no sound."""
    last = max((int(part.places.max()) for part in parts if len(part.places)), default=-1)
    if last < 0:
        return None
    rows, cells = np.full((last + 1, parts[0].rows.shape[1]), np.nan, np.float32), np.zeros(last + 1, np.int64)
    for part in parts:
        rows[part.places], cells[part.places] = part.rows, part.cells
    return BlockAverages(rows, cells)
