"""Batches: batch n depends only on the pool, the seed and n, so a resumed training gets the same batches as an unbroken one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from edge.features.frontend import BLOCK_FRAMES, CELL_FRAMES, CELL_MELS
from edge.features.level import PRIMING_BLOCKS
from export.pretrain.augment import levelled, sum_db, through_channel
from export.pretrain.pool import Piece
from export.pretrain.scene import KINDS
from export.pretrain.teacher_frontend import FLOOR_POWER
from export.trunk import MEL_BANDS, Float32Array

EXCERPT_FRAMES = 4 * BLOCK_FRAMES  # 1.28 s
CONTEXT_FRAMES = PRIMING_BLOCKS * BLOCK_FRAMES  # heard before: by the level tracker and by the teacher
WHOLE_FRAMES = CONTEXT_FRAMES + EXCERPT_FRAMES
MIX_SHARE = 0.5
MIX_SNR_DB = (-3.0, 20.0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Excerpts of several pieces."""

    log_mel: Tensor  # (excerpt, frame, mel) float32, as the backbone sees it
    other_view: Tensor  # the same sound through another channel; (0,) when nobody asked
    teacher: Tensor  # (excerpt, context and frame, teacher mel) float32, through no channel; (0,) when nobody asked
    audible: Tensor  # (excerpt, band) float32, 1 where a band can be heard
    shares: Tensor  # (excerpt, cell, band, kind) float32; NaN where unknown
    labels: Tensor  # (excerpt, label) float32; NaN where unknown

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))


class Batches(torch.utils.data.Dataset[Batch]):
    """Batch n, for a DataLoader or alone."""

    def __init__(
        self, synthesised: Sequence[Piece], recorded: Sequence[Piece], *, size: int, seed: int, wants_view: bool, wants_teacher: bool
    ) -> None:
        """Half of a batch comes from the recordings, if there are any."""
        self._sources = [pieces for pieces in (synthesised, recorded) if pieces]
        self._size = size
        self._seed = seed
        self._wants_view = wants_view
        self._wants_teacher = wants_teacher

    def __getitem__(self, number: int) -> Batch:
        """Make batch `number`."""
        rng = np.random.default_rng([self._seed, number, 0xBA7C])
        excerpts = [self._excerpt(self._sources[place % len(self._sources)], rng) for place in range(self._size)]
        return Batch(*(torch.from_numpy(np.stack(arrays)) for arrays in zip(*excerpts, strict=True)))

    def _excerpt(self, pieces: Sequence[Piece], rng: np.random.Generator) -> tuple[Float32Array, ...]:
        piece = _any(pieces, rng)
        frames = _some_frames(len(piece.log_mel), rng)
        log_mel = piece.log_mel[frames].astype(np.float32)
        teacher = piece.teacher[frames].astype(np.float32) if self._wants_teacher and piece.teacher is not None else None
        left = np.ones((EXCERPT_FRAMES // CELL_FRAMES, MEL_BANDS // CELL_MELS), np.float32)  # of the piece's own power
        if rng.uniform() < MIX_SHARE:
            neighbour = _any(self._sources[int(rng.integers(len(self._sources)))], rng)
            beside = _some_frames(len(neighbour.log_mel), rng)
            below_db = float(rng.uniform(*MIX_SNR_DB))
            mixed = sum_db(log_mel, neighbour.log_mel[beside].astype(np.float32) - np.float32(below_db))
            left = _cells(np.power(10.0, (log_mel - mixed) / 10.0, dtype=np.float32)[CONTEXT_FRAMES:])
            log_mel = mixed
            if teacher is not None and neighbour.teacher is not None:
                teacher = _teacher_mix(teacher, neighbour.teacher[beside].astype(np.float32), below_db)
        heard, mels = through_channel(log_mel, piece.mels, rng)
        empty = np.zeros(0, np.float32)
        view = empty
        if self._wants_view:
            other, _ = through_channel(log_mel, piece.mels, rng)
            view = levelled(other, mels, EXCERPT_FRAMES)
        return (
            levelled(heard, mels, EXCERPT_FRAMES),
            view,
            empty if teacher is None else teacher,
            (np.arange(CELL_MELS - 1, MEL_BANDS, CELL_MELS) < mels).astype(np.float32),
            _shares(piece, frames[CONTEXT_FRAMES:], left),
            piece.labels,
        )


def _any(pieces: Sequence[Piece], rng: np.random.Generator) -> Piece:
    return pieces[int(rng.integers(len(pieces)))]


def _some_frames(length: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Frames of an excerpt, on the cell grid; a piece that is too short is played to and fro."""
    start = int(rng.integers(max(1, (length - WHOLE_FRAMES) // CELL_FRAMES + 1))) * CELL_FRAMES
    place = np.arange(start, start + WHOLE_FRAMES)
    if start + WHOLE_FRAMES <= length:
        return place
    turned = place % (2 * length - 2)
    return np.where(turned < length, turned, 2 * length - 2 - turned)


def _cells(power: Float32Array) -> Float32Array:
    """Means over cells: from (frame, mel) to (cell, band)."""
    means: Float32Array = power.reshape(-1, CELL_FRAMES, MEL_BANDS // CELL_MELS, CELL_MELS).mean(axis=(1, 3))
    return means


def _shares(piece: Piece, frames: np.ndarray[tuple[int], np.dtype[np.int64]], left: Float32Array) -> Float32Array:
    if piece.shares is None:
        return np.full((*left.shape, len(KINDS)), np.nan, np.float32)
    cells = np.minimum(frames[::CELL_FRAMES] // CELL_FRAMES, len(piece.shares) - 1)
    return piece.shares[cells].astype(np.float32) * left[:, :, None]


def _teacher_mix(one: Float32Array, other: Float32Array, below_db: float) -> Float32Array:
    """Add powers on the teacher's scale; the floor stays what it is."""
    power = np.exp(other) - np.float32(FLOOR_POWER)
    mixed: Float32Array = np.log(np.exp(one) + np.maximum(power, 0.0) * np.float32(10.0 ** (-below_db / 10.0)))
    return mixed
