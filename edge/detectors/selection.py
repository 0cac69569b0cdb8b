"""CNN14's blocks 2, 3 and 4, aligned on block 2's grid and concatenated, or a selection of their dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.features.backbone import BLOCK_SHAPES, Features

Float32 = NDArray[np.float32]

CHANNELS = sum(channels for _, _, channels in BLOCK_SHAPES.values())  # 128 + 256 + 512


class Selection:
    """Some dimensions of the aligned, concatenated blocks 2, 3 and 4."""

    def __init__(self, dimensions: NDArray[np.generic], bands: int) -> None:
        """`dimensions`, shape = (d,), rise from 0 .. 895; ValueError when they do not. Only the lowest `bands` are selected from."""
        if dimensions.ndim != 1 or dimensions.dtype.kind not in "iu" or not len(dimensions):
            raise ValueError("the choice of dimensions is no list of numbers")
        chosen = dimensions.astype(np.int64)
        if not (chosen[0] >= 0 and chosen[-1] < CHANNELS and (np.diff(chosen) > 0).all()):
            raise ValueError(f"the choice of dimensions does not rise from 0 to {CHANNELS - 1}")
        self.count = len(chosen)
        self._bands = bands
        self._channels: dict[str, NDArray[np.int64]] = {}  # of each block
        first = 0
        for name, (_, _, channels) in BLOCK_SHAPES.items():
            self._channels[name] = chosen[(chosen >= first) & (chosen < first + channels)] - first
            first += channels
        self.sizes = [len(own) for own in self._channels.values()]  # how many are of each block

    def of(self, features: Features) -> Float32:
        """What is selected of 32 frames, shape = (8, band, d) float32."""
        parts = []
        for name, coarser in (("block2", 1), ("block3", 2), ("block4", 4)):
            chosen = getattr(features, name)[:, :, self._channels[name]]
            parts.append(chosen.repeat(coarser, axis=0).repeat(coarser, axis=1)[:, : self._bands])
        return np.concatenate(parts, axis=2)
