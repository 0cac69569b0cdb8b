"""Self-supervision by two views: the same sound through two microphones and rooms should give the same features, cell by cell.

Source: Bardes et al., "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning" (2022), equations 1-6, on
cells instead of whole images (as in "VICRegL", 2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.pretrain.batches import Batch
from export.trunk import BLOCK_CHANNELS

BLOCKS = (2, 3, 4)
DIMENSIONS = 128
INVARIANCE, VARIANCE, COVARIANCE = 1.0, 1.0, 0.04  # the paper's 25 : 25 : 1
TARGET_DEVIATION = 1.0
FLOOR_VARIANCE = 1e-4


class Views(nn.Module):
    """A 1x1 projection of each block; equal between views, spread out and uncorrelated over cells."""

    name = "views"

    def __init__(self) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, DIMENSIONS, kernel_size=1), nn.ReLU(), nn.Conv2d(DIMENSIONS, DIMENSIONS, kernel_size=1))
            for channels in (BLOCK_CHANNELS[block - 1] for block in BLOCKS)
        )

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Nothing to learn beforehand."""

    def forward(self, blocks: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> Tensor:
        """Compare the blocks of both views, each (excerpt, time, mel, channel)."""
        losses = []
        for block, projection in zip(BLOCKS, self.projections, strict=True):
            one, two = (
                projection(view[f"block{block}"].permute(0, 3, 1, 2)).permute(0, 2, 3, 1).flatten(0, 2) for view in (blocks, other)
            )  # (cell, dimension)
            spread = (_variance(one) + _variance(two)) / 2
            correlated = _covariance(one) + _covariance(two)
            losses.append(INVARIANCE * functional.mse_loss(one, two) + VARIANCE * spread + COVARIANCE * correlated)
        return torch.stack(losses).mean()


def _variance(cells: Tensor) -> Tensor:
    return functional.relu(TARGET_DEVIATION - (cells.var(dim=0) + FLOOR_VARIANCE).sqrt()).mean()


def _covariance(cells: Tensor) -> Tensor:
    centred = cells - cells.mean(dim=0)
    covariance = centred.T @ centred / (len(cells) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / cells.shape[1]
