"""Patch embeddings: what detectors that compare patches use of each cell (PatchCore, Roth et al. 2022, section 3.1).

PatchCore averages each feature over its 3x3 neighbourhood, aligns the layers and concatenates them; a random projection
keeps distances (Johnson-Lindenstrauss) at a fraction of the cost. All of these are linear, so they are applied in
the cheapest order: project each block at its own resolution, add them up on block 2's grid, then average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detectors.loudness import RecentLoudness
from edge.features.backbone import Features
from edge.features.feature_stream import CONTEXT_FRAMES, FeatureBlock
from edge.features.frontend import BLOCK_CELLS, CELL_FRAMES, CELL_MELS

Float32 = NDArray[np.float32]

CNN14_DIMENSIONS = 64
LOGMEL_DIMENSIONS = (CELL_FRAMES + 2 * CONTEXT_FRAMES) * CELL_MELS  # 8 frames x 4 mels
LAG_CELLS = 1  # a cell waits for its right-hand neighbour


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The patch embeddings of 8 cells in all audible bands, one cell later than the features they come from."""

    first_cell: int  # of the segment
    cnn14: Float32  # (8, band, 64) float32; no dimensions where the backbone has no network
    logmel: Float32  # (8, band, 32) float32
    excess: Float32  # (8, band, 4) float32 dB, level-normalised: of each mel
    level: Float32  # (8, 1, 1) float32 dB

    def of(self, feature: str) -> Float32:
        """The patches of a feature, shape = (8, band, dimension)."""
        patches: Float32 = getattr(self, feature)
        return patches


class Embedder:
    """Turns the feature blocks of one segment into patch embeddings."""

    def __init__(self, projection: dict[str, Float32], bands: int) -> None:
        """`projection` maps block2..block4 to matrices (channel, 64) float32, or is empty; only the lowest `bands` are embedded."""
        self._projection = projection
        self._bands = bands
        dimensions = projection["block2"].shape[1] if projection else 0
        self._cnn14 = np.zeros((BLOCK_CELLS + 2, 16, dimensions), np.float32)  # (time, mel, dimension), two cells from before
        self._logmel = np.zeros((BLOCK_CELLS + LAG_CELLS, bands, LOGMEL_DIMENSIONS), np.float32)
        self._loudness = RecentLoudness(bands, LAG_CELLS)

    def push(self, block: FeatureBlock) -> Embeddings:
        """Embed one block; the result is about the cells `block.first_cell - 1 ... block.first_cell + 6`."""
        self._cnn14[:2] = self._cnn14[BLOCK_CELLS:]
        if self._projection:
            self._cnn14[2:] = self._align(block.features)
        self._logmel[:LAG_CELLS] = self._logmel[BLOCK_CELLS:]
        self._logmel[LAG_CELLS:] = self._log_mel_patches(block.log_mel)
        self._loudness.push(block)
        first_cell = block.first_cell - LAG_CELLS
        mels_db, levels_db = self._loudness.of(first_cell, BLOCK_CELLS)
        return Embeddings(
            first_cell,
            average_neighbours(self._cnn14)[:, : self._bands],
            self._logmel[:BLOCK_CELLS].copy(),
            mels_db.copy(),
            levels_db[:, None, None].copy(),
        )

    def _align(self, features: Features) -> Float32:
        """Project the three blocks and add them up on block 2's grid, shape = (8, 16, dimension)."""
        block2 = features.block2 @ self._projection["block2"]  # (8, 16, d)
        block3 = features.block3 @ self._projection["block3"]  # (4, 8, d)
        block4 = features.block4 @ self._projection["block4"]  # (2, 4, d)
        dimensions = block2.shape[-1]
        block2.reshape(4, 2, 8, 2, dimensions)[...] += block3[:, None, :, None]
        block2.reshape(2, 4, 4, 4, dimensions)[...] += block4[:, None, :, None]
        return block2

    def _log_mel_patches(self, log_mel: Float32) -> Float32:
        """8 frames x 4 mels around each cell, shape = (8, band, 32), from (2 + 32 + 2, mel)."""
        halves = log_mel[:, : self._bands * CELL_MELS].reshape(BLOCK_CELLS + 1, CELL_FRAMES, self._bands, CELL_MELS).swapaxes(1, 2)
        patches = np.empty((BLOCK_CELLS, self._bands, 2, CELL_FRAMES, CELL_MELS), np.float32)  # a cell has a half of either neighbour
        patches[:, :, 0], patches[:, :, 1] = halves[:-1], halves[1:]
        return patches.reshape(BLOCK_CELLS, self._bands, LOGMEL_DIMENSIONS)


def average_neighbours(cells: Float32) -> Float32:
    """3x3 mean over (time, mel), shape = (time - 2, mel, dimension); the outermost mel bands count their edge twice."""
    in_time = cells[:-2] + cells[1:-1] + cells[2:]  # (time - 2, mel, d)
    padded = np.concatenate([in_time[:, :1], in_time, in_time[:, -1:]], axis=1)
    averaged: Float32 = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) * np.float32(1.0 / 9.0)
    return averaged


def random_projection(seed: int, channels: dict[str, int], dimensions: int = CNN14_DIMENSIONS) -> dict[str, Float32]:
    """Gaussian projections that keep the distances of the concatenated blocks, as block name -> (channel, dimension) float32."""
    rng = np.random.default_rng(seed)
    scale = 1.0 / np.sqrt(dimensions)
    return {name: (rng.standard_normal((count, dimensions)) * scale).astype(np.float32) for name, count in channels.items()}
