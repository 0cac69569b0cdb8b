"""How loud a cell is: every detector uses this in addition to its own map.

excess   How loud each mel of a cell is, level-normalised, beyond its mean and in units of how much it varies within ten seconds of normal
         sound; of a band, the loudest of its mels by that measure, for a tone has but one, in units of how much that varies. What it has
         beyond the moments around it is strange by itself (edge/judgement/contrast.py), so it is compared with nothing.

level    How loud a cell is in all bands together, absolute: compared with the levels of normal sound. Only bundles of versions before
         there were heads of steady sound (edge/judgement/steady.py) have it.

Fitted by calibrate/fitters/loudness.py. Bundles of versions before there was an excess have none, and are judged without.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.comparison import Comparison
from edge.detectors.detector import EXCESS, LEVEL, Deviation
from edge.detectors.standard import numbers
from edge.features.feature_stream import CONTEXT_FRAMES, FeatureBlock
from edge.features.frontend import BLOCK_CELLS, BLOCK_FRAMES, CELL_FRAMES, CELL_MELS

Float32 = NDArray[np.float32]


class Loudness:
    """The part of a bundle about the loudness of the machine."""

    def __init__(self, arrays: Mapping[str, Arrays], bands: int) -> None:
        """`arrays` are a bundle's: `excess` is what an `Excess` needs, `level` a `Comparison`; either may lack, but not both.

        Raises KeyError or ValueError when they are not.
        """
        self.bands = bands
        self._excess = Excess(arrays[EXCESS], bands) if EXCESS in arrays else None
        self._level = Comparison(arrays, 1, {LEVEL: 1}) if LEVEL in arrays or not self._excess else None
        features = {EXCESS: bands} if self._excess else {}
        self.features: Mapping[str, int] = {**features, LEVEL: 1} if self._level else features  # the last of a detector's

    def stream(self, lag_cells: int = 0) -> LoudnessStream:
        """Start a segment, for a detector that judges cells up to `lag_cells` after it receives them."""
        return LoudnessStream(self, lag_cells)

    def deviations(self, first_cell: int, mels_db: Float32, levels_db: Float32) -> list[Deviation]:
        """How far cells are from normal, by the loudness of their mels, shape = (time, band, 4), and their levels, shape = (time,)."""
        excess = [Deviation(EXCESS, first_cell, self._excess.of(mels_db))] if self._excess else []
        return [*excess, *self._level.deviations(first_cell, {LEVEL: levels_db[:, None, None]})] if self._level else excess


class Excess:
    """How much louder bands are than usual."""

    def __init__(self, fitted: Mapping[str, NDArray[np.generic]], bands: int) -> None:
        """`fitted` holds `mean` and `deviation` of each mel in dB, shape = (band, 4), and `unit` of each band, (band,).

        KeyError or ValueError when it does not.
        """
        self._mean = numbers("excess.mean", fitted["mean"], (bands, CELL_MELS))
        self._deviation = numbers("excess.deviation", fitted["deviation"], (bands, CELL_MELS))
        self._unit = numbers("excess.unit", fitted["unit"], (bands,))
        if not (self._deviation > 0).all() or not (self._unit > 0).all():
            raise ValueError("excess.deviation or excess.unit is not positive")

    def of(self, mels_db: Float32) -> Float32:
        """The excess of each band, shape = (time, band), of the loudness of its mels, (time, band, 4) dB."""
        excess: Float32 = ((mels_db - self._mean) / self._deviation).max(axis=2) / self._unit
        return excess


class LoudnessStream:
    """The loudness of one segment."""

    def __init__(self, loudness: Loudness, lag_cells: int) -> None:
        self._loudness = loudness
        self._recent = RecentLoudness(loudness.bands, lag_cells)

    def push(self, block: FeatureBlock) -> None:
        """Hear one block."""
        self._recent.push(block)

    def deviations(self, first_cell: int, count: int) -> list[Deviation]:
        """The deviations of cells: those up to the lag before the latest block, and those of the block."""
        return self._loudness.deviations(first_cell, *self._recent.of(first_cell, count))


class RecentLoudness:
    """How loud the latest cells of a segment are."""

    def __init__(self, bands: int, lag_cells: int) -> None:
        """Only the lowest `bands` are of interest; `lag_cells` are kept beside those of the latest block."""
        self._mels_db = np.zeros((lag_cells + BLOCK_CELLS, bands, CELL_MELS), np.float32)  # (cell, band, mel), the latest last
        self._levels_db = np.zeros(lag_cells + BLOCK_CELLS, np.float32)  # (cell,)
        self._end_cell = 0  # of the segment

    def push(self, block: FeatureBlock) -> None:
        """Hear the block that follows."""
        self._mels_db[:-BLOCK_CELLS] = self._mels_db[BLOCK_CELLS:]
        self._mels_db[-BLOCK_CELLS:] = mel_loudness(block, self._mels_db.shape[1])
        self._levels_db[:-BLOCK_CELLS] = self._levels_db[BLOCK_CELLS:]
        self._levels_db[-BLOCK_CELLS:] = block.level_db
        self._end_cell = block.first_cell + BLOCK_CELLS

    def of(self, first_cell: int, count: int) -> tuple[Float32, Float32]:
        """Of consecutive cells the loudness of each mel, shape = (count, band, 4), and the level, shape = (count,), both in dB.

        They are views that the next block overwrites.
        """
        first = first_cell - (self._end_cell - len(self._levels_db))
        assert 0 <= first <= first + count <= len(self._levels_db), "cells that are not kept"
        return self._mels_db[first : first + count], self._levels_db[first : first + count]


def mel_loudness(block: FeatureBlock, bands: int) -> Float32:
    """The mean over the frames of each cell, of the lowest `bands`, shape = (8, band, 4) dB, level-normalised."""
    own = block.log_mel[CONTEXT_FRAMES : CONTEXT_FRAMES + BLOCK_FRAMES, : bands * CELL_MELS].reshape(BLOCK_CELLS, CELL_FRAMES, -1)
    total = sum((own[:, frame] for frame in range(1, CELL_FRAMES)), start=own[:, 0])  # few are added up sooner than by a mean
    loudness: Float32 = (total * np.float32(1.0 / CELL_FRAMES)).reshape(BLOCK_CELLS, bands, CELL_MELS)
    return loudness
