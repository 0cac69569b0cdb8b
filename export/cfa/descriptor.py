"""The patch descriptor network of CFA (Lee et al. 2022): a CoordConv layer of one cell (Liu et al. 2018).

Convolutions do not know where in the spectrum they are, so the layer is told: the mel coordinate, from -1 to 1, is one more channel. Sound
has no such place in time. The layer starts as a random projection, which keeps distances (Johnson-Lindenstrauss), of blocks that weigh the
same, whatever the size of their features.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.features.backbone import BLOCK_SHAPES

COARSER = {"block2": 1, "block3": 2, "block4": 4}  # than block 2, along both axes


class Descriptor(nn.Module):
    """What becomes of the aligned, concatenated blocks."""

    def __init__(self, bands: int, dimensions: int, seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        channels = sum(count for _, _, count in BLOCK_SHAPES.values())
        drawn = rng.standard_normal((channels + 1, dimensions)) / np.sqrt(dimensions)
        self.weight = nn.Parameter(torch.tensor(drawn[:-1], dtype=torch.float32))
        self.coordinate_weight = nn.Parameter(torch.tensor(drawn[-1:], dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(dimensions))
        self.coordinate: Tensor
        self.register_buffer("coordinate", torch.linspace(-1.0, 1.0, bands)[:, None])  # (band, 1)
        self.bands, self.dimensions = bands, dimensions

    def forward(self, cells: Tensor) -> Tensor:
        """Descriptors, (time, band, dimension), of aligned blocks, (time, band, 896)."""
        described: Tensor = cells @ self.weight + (self.coordinate @ self.coordinate_weight + self.bias)
        return described

    def of_rows(self, rows: Tensor) -> Tensor:
        """The same of rows of `flattened`, in a quarter of the time: each block is turned at its own resolution, and then aligned."""
        first_channel, parts = 0, []
        for name, block in blocks_of(rows).items():
            channels = block.shape[2]
            parts.append(on_finest_grid(name, block @ self.weight[first_channel : first_channel + channels])[:, : self.bands])
            first_channel += channels
        described: Tensor = parts[0] + parts[1] + parts[2] + (self.coordinate @ self.coordinate_weight + self.bias)
        return described

    @torch.no_grad()
    def settle(self, rows: Tensor) -> None:
        """Start from what rows of `flattened` are like: blocks vary alike, and by 1 together, and the mean descriptor is zero."""
        first_channel = 0
        for name, block in blocks_of(rows).items():
            channels = slice(first_channel, first_channel + block.shape[2])
            bands = -(-self.bands // COARSER[name])
            variance = float(block[:, :bands].var(dim=0).sum(dim=1).mean()) * len(BLOCK_SHAPES)
            self.weight[channels] /= max(variance, 1e-12) ** 0.5
            first_channel = channels.stop
        self.bias.sub_(self.of_rows(rows).mean(dim=(0, 1)))


def flattened(blocks: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float16]:
    """The features of 32 frames as one row, shape = (1, 28672), in half precision."""
    row = np.concatenate([blocks[name].reshape(-1) for name in BLOCK_SHAPES])
    halves: NDArray[np.float16] = np.clip(row, -60000.0, 60000.0).astype(np.float16)[None]
    return halves


def blocks_of(rows: Tensor) -> dict[str, Tensor]:
    """The blocks 2, 3 and 4 of rows of `flattened`, one row after the other, each (time, mel, channel)."""
    found, first = {}, 0
    for name, (time, mel, channels) in BLOCK_SHAPES.items():
        found[name] = rows[:, first : first + time * mel * channels].reshape(-1, mel, channels)
        first += time * mel * channels
    return found


def on_finest_grid(name: str, block: Tensor) -> Tensor:
    """A block (time, mel, channel) on the grid of block 2: each of its cells is repeated."""
    return block.repeat_interleave(COARSER[name], dim=0).repeat_interleave(COARSER[name], dim=1)
