"""Self-supervision on synthesised sound: predict what it consists of, and its parameters.

Two questions. Of every cell: which share of its power is tones, a leak, an impact, a whine, a bearing defect? Of every excerpt: the shaft's
speed, the defect's rate, the leak's edges and so on, as far as the machine has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.pretrain.batches import Batch
from export.pretrain.head import Head
from export.pretrain.scene import KINDS, LABELS
from export.trunk import BLOCK_CHANNELS, MEL_BANDS

BLOCKS = (2, 3, 4)
SUMMARY_BLOCKS = (3, 4)  # what the numbers are read from, averaged over the excerpt; mel stays, since a number often is a place in it
LABEL_WEIGHT = 0.5


class Recognition(nn.Module):
    """Cross-entropy of the shares, against that of knowing only their mean; squared error of the standardised numbers."""

    name = "synthesis"

    def __init__(self) -> None:
        super().__init__()
        self.shares = nn.ModuleList(Head(BLOCK_CHANNELS[block - 1], len(KINDS)) for block in BLOCKS)
        width = sum(BLOCK_CHANNELS[block - 1] * MEL_BANDS // 2**block for block in SUMMARY_BLOCKS)
        self.labels = nn.Linear(width, len(LABELS))

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Nothing to learn beforehand."""

    def forward(self, blocks: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Judge `blocks`, each (excerpt, time, mel, channel), on the excerpts of which something is known."""
        losses = [self._share_loss(blocks[f"block{block}"], batch, head) for block, head in zip(BLOCKS, self.shares, strict=True)]
        return torch.stack(losses).mean() + LABEL_WEIGHT * self._label_loss(blocks, batch)

    def _share_loss(self, features: Tensor, batch: Batch, head: nn.Module) -> Tensor:
        pooled = functional.adaptive_avg_pool2d(
            batch.shares.permute(0, 3, 1, 2), (features.shape[1], features.shape[2])
        )  # (excerpt, kind, time, mel)
        bands = features.shape[2]
        audible = batch.audible.reshape(len(features), 1, 1, bands, -1).amin(dim=4).expand_as(pooled)
        weight = torch.where(torch.isfinite(pooled), audible, torch.zeros_like(pooled))
        target = pooled.nan_to_num()
        predicted = head(features).permute(0, 3, 1, 2)
        entropy = functional.binary_cross_entropy_with_logits(predicted, target, weight, reduction="sum")
        return entropy / weight.sum().clamp(min=1.0) * _PER_CELL

    def _label_loss(self, blocks: Mapping[str, Tensor], batch: Batch) -> Tensor:
        summary = torch.cat([blocks[f"block{block}"].mean(dim=1).flatten(1) for block in SUMMARY_BLOCKS], dim=1)
        known = torch.isfinite(batch.labels)
        error = (self.labels(functional.layer_norm(summary, summary.shape[1:])) - batch.labels.nan_to_num()).square()
        mean: Tensor = (error * known).sum() / known.sum().clamp(min=1)
        return mean


_PER_CELL = 2.0  # most cells hold one kind or none, so their entropy is small; this brings it to about the size of the other losses
