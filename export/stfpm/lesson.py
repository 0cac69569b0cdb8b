"""The training data of a student: excerpts of normal sound with the teacher's features, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from edge.errors import AudioError
from edge.features.backbone import BLOCK_SHAPES
from edge.features.feature_stream import CONTEXT_FRAMES, FeatureBlock
from edge.features.frontend import BLOCK_FRAMES
from export.sound import Clip

Float32 = NDArray[np.float32]

EXCERPT_BLOCKS = 6  # of 32 frames: 1.92 s, of which the inner 1.28 s are compared
STRETCH_BLOCKS = 30  # 9.6 s
MOST_STRETCHES = 60  # 10 minutes, in 115 MB; of more sound, so many are drawn
LARGEST_HALF = 60000.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive blocks of normal sound."""

    log_mel: Float32  # (frame, mel) float32 dB, level-normalised
    blocks: dict[str, NDArray[np.float16]]  # block2 .. block4: what the teacher makes of it, (time, mel, channel)

    @property
    def starts(self) -> int:
        """How many excerpts begin in it, one with each block."""
        return len(self.log_mel) // BLOCK_FRAMES - EXCERPT_BLOCKS + 1


class Lesson:
    """Normal sound to learn from: all of it, or as many stretches as may be kept, drawn from all of them (Vitter 1985)."""

    def __init__(self, rng: Generator, most_stretches: int = MOST_STRETCHES) -> None:
        self.stretches: list[Stretch] = []
        self._rng = rng
        self._most = most_stretches
        self._heard = 0  # stretches
        self._log_mel: list[Float32] = []
        self._blocks: dict[str, list[NDArray[np.float16]]] = {name: [] for name in BLOCK_SHAPES}

    def add(self, block: FeatureBlock) -> None:
        """Take the block that follows the last one; it is copied."""
        self._log_mel.append(block.log_mel[CONTEXT_FRAMES:-CONTEXT_FRAMES].copy())
        for name, kept in self._blocks.items():
            kept.append(np.clip(getattr(block.features, name), -LARGEST_HALF, LARGEST_HALF).astype(np.float16))
        if len(self._log_mel) == STRETCH_BLOCKS:
            self.interrupt()

    def interrupt(self) -> None:
        """The next block does not follow the last one; a stretch that is too short for an excerpt is left out."""
        if len(self._log_mel) >= EXCERPT_BLOCKS:
            stretch = Stretch(np.concatenate(self._log_mel), {name: np.concatenate(kept) for name, kept in self._blocks.items()})
            self._heard += 1
            if len(self.stretches) < self._most:
                self.stretches.append(stretch)
            elif (slot := int(self._rng.integers(self._heard))) < self._most:
                self.stretches[slot] = stretch
        self._log_mel.clear()
        for kept in self._blocks.values():
            kept.clear()

    def batch(self, size: int, rng: Generator, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
        """Excerpts drawn anywhere: log-mel (excerpt, frame, mel) and the teacher's block2 .. block4 (excerpt, time, mel, channel)."""
        starts = np.cumsum([stretch.starts for stretch in self.stretches])
        excerpts = []
        for drawn in rng.integers(starts[-1], size=size):
            index = int(np.searchsorted(starts, drawn, side="right"))
            stretch = self.stretches[index]
            excerpts.append((stretch, int(drawn - starts[index] + stretch.starts)))
        log_mel = np.stack([_part(stretch.log_mel, first, BLOCK_FRAMES) for stretch, first in excerpts])
        blocks = {
            name: np.stack([_part(stretch.blocks[name], first, cells) for stretch, first in excerpts])
            for name, (cells, _, _) in BLOCK_SHAPES.items()
        }
        return torch.from_numpy(log_mel).to(device), {name: torch.from_numpy(cells).to(device).float() for name, cells in blocks.items()}

    def check(self) -> None:
        """AudioError when there is nothing to learn from."""
        if not self.stretches:
            raise AudioError("recordings", "hold no second of unbroken sound to train on; longer ones are needed")

    def clips(self, most: int, bandwidth_hz: float) -> list[Clip]:
        """At most so many stretches, evenly from all, as `export` takes sound to calibrate int8 with and to check it on."""
        chosen = np.unique(np.linspace(0, len(self.stretches) - 1, most).round().astype(int))
        return [Clip(np.zeros(0, np.float32), bandwidth_hz, self.stretches[index].log_mel, True) for index in chosen]


def _part(array: NDArray[np.generic], first_block: int, per_block: int) -> NDArray[np.generic]:
    return array[first_block * per_block : (first_block + EXCERPT_BLOCKS) * per_block]
