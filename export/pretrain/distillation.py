"""Follow the AudioSet teacher, cell by cell: our features must contain what it knows about each place in time and frequency.

A 1x1 head on each block predicts an intermediate map of the teacher, resampled to the block's own cells and whitened. Clip-level matching
(logits) would only ask what is in a clip, and we are asked where.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.features.frontend import PANNS, mel_edges_hz
from export.pretrain.batches import CONTEXT_FRAMES, EXCERPT_FRAMES, WHOLE_FRAMES, Batch
from export.pretrain.head import Head
from export.pretrain.teacher import Teacher
from export.pretrain.teacher_frontend import TEACHER_MELS, mel_position
from export.trunk import BLOCK_CHANNELS, MEL_BANDS

SHRINKAGE = 0.1  # of the whitening, towards the mean eigenvalue: directions that hold little but noise stay small


class Tap(NamedTuple):
    """A block of ours and the teacher's layer that it follows."""

    block: int
    layer: int


TAPS = (Tap(2, 3), Tap(3, 6), Tap(4, 12), Tap(4, 15))


class Distillation(nn.Module):
    """Mean squared error on whitened maps: 1 is knowing nothing, 0 is knowing all."""

    name = "distillation"

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self._teacher = [teacher]  # in a list: it is no part of what is trained, saved or moved
        self.heads = nn.ModuleList(Head(BLOCK_CHANNELS[tap.block - 1], teacher.channels_of(tap.layer)) for tap in TAPS)
        for number, tap in enumerate(TAPS):
            time, mel = _grids(tap, teacher.stride_of(tap.layer))
            self.register_buffer(f"time{number}", torch.from_numpy(time))  # (our cell, the teacher's)
            self.register_buffer(f"mel{number}", torch.from_numpy(mel))
            channels = teacher.channels_of(tap.layer)
            self.register_buffer(f"mean{number}", torch.zeros(channels))
            self.register_buffer(f"whitening{number}", torch.eye(channels))

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn the teacher's means and covariances, once, before the training."""
        cells: list[list[Tensor]] = [[] for _ in TAPS]
        for batch in batches:
            for number, target in enumerate(self._resampled(batch)):
                cells[number].append(target.flatten(0, 2).double())
        for number, parts in enumerate(cells):
            values = torch.cat(parts)  # (cell, channel)
            variances, directions = torch.linalg.eigh(torch.cov(values.T))
            scale = (variances.clamp(min=0.0) + SHRINKAGE * variances.mean()).rsqrt()
            self.get_buffer(f"mean{number}").copy_(values.mean(dim=0))
            self.get_buffer(f"whitening{number}").copy_(directions * scale @ directions.T)

    def forward(self, blocks: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Compare the predictions of `blocks`, each (excerpt, time, mel, channel), with the teacher's maps, where a band is audible."""
        losses = []
        for number, (tap, target) in enumerate(zip(TAPS, self._targets(batch), strict=True)):
            predicted = self.heads[number](blocks[f"block{tap.block}"])
            error = (predicted - target).square().mean(dim=3) / target.square().mean().clamp(min=1e-6)  # (excerpt, time, mel)
            weight = batch.audible.reshape(len(error), 1, error.shape[2], -1).amin(dim=3).expand_as(error)
            losses.append((error * weight).sum() / weight.sum().clamp(min=1.0))
        return torch.stack(losses).mean()

    @torch.no_grad()
    def _targets(self, batch: Batch) -> list[Tensor]:
        """Whitened maps on our cells, each (excerpt, time, mel, channel)."""
        return [
            (target - self.get_buffer(f"mean{number}")) @ self.get_buffer(f"whitening{number}")
            for number, target in enumerate(self._resampled(batch))
        ]

    @torch.no_grad()
    def _resampled(self, batch: Batch) -> list[Tensor]:
        teacher = self._teacher[0].to(batch.teacher.device)
        maps = teacher.maps((batch.teacher.transpose(1, 2)[:, None] + 4.5) / 5.0, tuple(tap.layer for tap in TAPS))
        return [
            torch.einsum("ncfs,ts,mf->ntmc", maps[tap.layer], self.get_buffer(f"time{number}"), self.get_buffer(f"mel{number}"))
            for number, tap in enumerate(TAPS)
        ]


def _grids(tap: Tap, stride: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How our cells are made of the teacher's, in time and in mel.

    A strided convolution's output i is centred on its input at i times the stride; a pooled cell of ours on the middle of its frames.
    """
    own = 2**tap.block
    frames = CONTEXT_FRAMES + own * np.arange(EXCERPT_FRAMES // own) + (own - 1) / 2
    centres_hz = mel_edges_hz(PANNS)[1:-1].reshape(-1, own).mean(axis=1)  # of our cells
    assert len(centres_hz) == MEL_BANDS // own
    return _interpolation(frames / stride, -(-WHOLE_FRAMES // stride)), _interpolation(
        mel_position(centres_hz) / stride, TEACHER_MELS // stride
    )


def _interpolation(places: NDArray[np.float64], count: int) -> NDArray[np.float32]:
    """Weights, shape = (place, count), of values at 0 .. count - 1 for each place: triangles, as wide as the coarser of both grids."""
    places = np.clip(places, 0.0, count - 1.0)
    width = np.maximum(1.0, np.gradient(places))
    weights = np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(count)) / width[:, None])
    shares: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares
