"""The averages of recordings, block by block (edge/features/cell_averages.py): hours of them fit into memory, and windows are sums."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import Recording, heard_blocks
from edge.console.progress import progress
from edge.detectors.detector import real_cells
from edge.features.cell_averages import AverageLayout, AverageStream
from edge.features.frontend import BLOCK_CELLS, FrontEnd, mels_below
from edge.features.logmel_backbone import LogMelBackbone

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


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


def block_averages(recordings: list[Recording], front_end: FrontEnd, bandwidth_hz: float) -> dict[int, BlockAverages]:
    """The averages of recordings by their index; without those that contain no sound."""
    layout = AverageLayout(front_end, mels_below(front_end, bandwidth_hz))
    found = {}
    for index, recording in enumerate(progress(recordings, label="averaging")):
        blocks = _blocks(recording, layout, bandwidth_hz)
        if blocks:
            count = 1 + max(blocks)
            rows, cells = np.full((count, layout.width), np.nan, np.float32), np.zeros(count, np.int64)
            for block, (own, heard) in blocks.items():
                rows[block], cells[block] = own, heard
            found[index] = BlockAverages(rows, cells)
    return found


def _blocks(recording: Recording, layout: AverageLayout, bandwidth_hz: float) -> dict[int, tuple[Float64, int]]:
    """The mean over the real cells of each block, and how many these are, by its place among all blocks of the recording."""
    found: dict[int, tuple[Float64, int]] = {}
    segment = -1
    for heard in heard_blocks(recording, LogMelBackbone(layout.front_end), bandwidth_hz):
        if heard.segment != segment:
            stream, segment = AverageStream(layout), heard.segment
        rows = stream.push(heard.block, heard.cells)
        real = real_cells(heard.block.first_cell, heard.cells)
        if real.stop > real.start:
            place = (heard.base_cell + heard.block.first_cell + real.start) // BLOCK_CELLS
            found[place] = rows[real].mean(axis=0, dtype=np.float64), real.stop - real.start
    return found
