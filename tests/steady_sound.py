"""Averages of sound that is made up frame by frame: what steady heads learn from, without audio or networks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrate.block_averages import BlockAverages
from calibrate.embeddings import Recording
from edge.features.cell_averages import AverageLayout, AverageStream
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS, BLOCK_FRAMES, PANNS, mels_below
from edge.features.logmel_backbone import NOTHING

Float32 = NDArray[np.float32]

LAYOUT = AverageLayout(PANNS, mels_below(PANNS, 8000.0))


@dataclass(frozen=True)
class SteadyMachine:
    """Noise of one spectrum, whose frames vary by 4 dB as those of noise do."""

    differ_db: float = 0.3  # how much recordings differ in level
    spectrum_db: float = 0.0  # and in each band
    band_hz: tuple[float, float] = (0.0, 1e5)
    band_db: float = 0.0  # more, between these frequencies
    level_db: float = 0.0  # more, everywhere
    swell_db: float = 0.0  # up and down, eight times a second

    def rows(self, blocks: int, seed: int) -> Float32:
        """Of all cells of a recording, shape = (8 blocks, column)."""
        rng = np.random.default_rng(seed)
        gain_db = self.level_db + self.differ_db * rng.standard_normal()
        frames = np.linspace(-30.0, -50.0, LAYOUT.mels) + gain_db + 4.0 * rng.standard_normal((BLOCK_FRAMES * blocks, LAYOUT.mels))
        frames += self.band_db * self._within(LAYOUT.centres_hz) + self.spectrum_db * rng.standard_normal(LAYOUT.mels)
        frames += self.swell_db * np.sin(2.0 * np.pi * 8.0 * 0.01 * np.arange(len(frames)))[:, None]
        low = -20.0 + gain_db + 3.0 * rng.standard_normal((blocks, len(LAYOUT.low_centres_hz)))
        low += self.band_db * self._within(LAYOUT.low_centres_hz) + self.spectrum_db * rng.standard_normal(low.shape[1])
        stream, found = AverageStream(LAYOUT), []
        for place in range(blocks):
            own = frames[BLOCK_FRAMES * place : BLOCK_FRAMES * (place + 1)].astype(np.float32)
            block = FeatureBlock(
                BLOCK_CELLS * place,
                np.zeros((36, 64), np.float32),
                np.zeros(BLOCK_CELLS, np.float32),
                NOTHING,
                sound_db=own,
                low_db=low[place].astype(np.float32),
            )
            found.append(stream.push(block, BLOCK_CELLS * blocks))
        return np.concatenate(found)

    def averages(self, blocks: int, seed: int) -> BlockAverages:
        """Of a recording."""
        rows = self.rows(blocks, seed)
        return BlockAverages(rows.reshape(blocks, BLOCK_CELLS, -1).mean(axis=1), np.full(blocks, BLOCK_CELLS))

    def changed(self, **what: object) -> SteadyMachine:
        """The same machine, later."""
        return replace(self, **what)  # type: ignore[arg-type]

    def _within(self, centres_hz: NDArray[np.float64]) -> NDArray[np.bool_]:
        within: NDArray[np.bool_] = (centres_hz >= self.band_hz[0]) & (centres_hz < self.band_hz[1])
        return within


def recordings_of(averages: Iterable[BlockAverages]) -> list[Recording]:
    """The recordings that these are of; there are no such files."""
    return [Recording(Path(f"{index}.wav"), 0, BLOCK_CELLS * one.blocks) for index, one in enumerate(averages)]
