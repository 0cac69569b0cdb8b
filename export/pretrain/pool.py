"""The sound to train on, held as log-mel: synthesised scenes, and recordings whose licence allows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.audio_file import audio_info, find_audio_files, read_blocks
from edge.audio.gaps import Gaps
from edge.audio.resampler import Resampler
from edge.console.progress import progress
from edge.features.frontend import CELL_FRAMES, CELL_MELS, PANNS, mels_below
from edge.features.level import REFERENCE_DB
from edge.features.logmel import offline_log_mel
from export.pretrain.scene import KINDS, LABELS, make_scene
from export.pretrain.teacher_frontend import teacher_log_mel
from export.trunk import Float32Array

SCENE_S = 4.0
LONGEST_PIECE_S = 10.0
SHORTEST_PIECE_S = 0.5
SPEEDS = (1.0, 0.8, 1.25)  # a dog and a larger one
QUIETEST_DB = -95.0  # a mean level below this is digital silence


@dataclass(frozen=True, slots=True)
class Piece:
    """Some seconds of sound, brought to the level that features see. float16: 0.06 dB at worst, for half the memory."""

    log_mel: NDArray[np.float16]  # (frame, mel) dB, before level normalisation and masking
    teacher: NDArray[np.float16] | None  # (frame, teacher mel), see `teacher_frontend`
    mels: int  # audible bands
    shares: NDArray[np.float16] | None  # (cell, band, kind): part of the power that each kind of sound has; None if nobody knows
    labels: Float32Array  # (label,) standardised, NaN where unknown


def synthesised_pieces(count: int, seed: int, *, for_teacher: bool, workers: int = 0) -> list[Piece]:
    """`count` scenes; with `workers`, made by that many processes."""
    make = partial(_scene_piece, seed, for_teacher)
    with ProcessPoolExecutor(workers, get_context("spawn")) if workers else nullcontext() as pool:
        made: Iterable[Piece] = pool.map(make, range(count), chunksize=8) if pool else map(make, range(count))
        return list(progress(made, count, "synthesising"))


def recorded_pieces(folders: Sequence[Path], *, for_teacher: bool) -> list[Piece]:
    """Every recording below the folders, its first channel, in pieces of at most 10 s, at three speeds; silence is left out.

    Raises
    ------
    AudioError : no such folder, no audio in it, or a file that cannot be read
    """
    pieces = []
    for path in progress(find_audio_files(folders), label="reading recordings"):
        for speed in SPEEDS:
            bandwidth_hz = speed * audio_info(path).rate_hz / 2
            heard = (_piece(samples, bandwidth_hz, for_teacher=for_teacher) for samples in _excerpts(path, speed))
            pieces += [piece for piece in heard if piece is not None]
    return pieces


def _scene_piece(seed: int, for_teacher: bool, index: int) -> Piece:
    scene = make_scene(seed, index, SCENE_S, PANNS.sample_rate_hz)
    piece = _piece(scene.samples, PANNS.sample_rate_hz / 2, for_teacher=for_teacher, labels=scene.labels)
    assert piece is not None  # no scene is silent
    power = _cell_power(offline_log_mel(scene.samples, PANNS))  # (cell, band)
    shares = np.zeros((*power.shape, len(KINDS)), np.float16)
    for position, kind in enumerate(KINDS):
        if kind in scene.parts:
            shares[:, :, position] = np.clip(_cell_power(offline_log_mel(scene.parts[kind], PANNS)) / power, 0.0, 1.0)
    return Piece(piece.log_mel, piece.teacher, piece.mels, shares, piece.labels)


def _piece(samples: Float32Array, bandwidth_hz: float, *, for_teacher: bool, labels: Float32Array | None = None) -> Piece | None:
    mels = mels_below(PANNS, bandwidth_hz)
    log_mel = offline_log_mel(samples, PANNS)
    level_db = float(log_mel[:, :mels].mean())
    if level_db < QUIETEST_DB:
        return None
    gain_db = REFERENCE_DB - level_db
    teacher = None
    if for_teacher:
        teacher = teacher_log_mel(samples * np.float32(10.0 ** (gain_db / 20.0))).astype(np.float16)
        log_mel = log_mel[: len(teacher)]  # the teacher's pre-emphasis costs a sample, and so sometimes a frame
    unknown = np.full(len(LABELS), np.nan, np.float32)
    return Piece((log_mel + gain_db).astype(np.float16), teacher, mels, None, unknown if labels is None else labels)


def _cell_power(log_mel: Float32Array) -> Float32Array:
    """From (frame, mel) dB to the mean power of cells, (cell, band)."""
    cells = len(log_mel) // CELL_FRAMES
    power = np.power(10.0, log_mel[: cells * CELL_FRAMES] / 10.0, dtype=np.float32)
    pooled: Float32Array = power.reshape(cells, CELL_FRAMES, -1, CELL_MELS).mean(axis=(1, 3))
    return pooled


def _excerpts(path: Path, speed: float) -> Iterator[Float32Array]:
    """A recording at 32 kHz, played at a speed, cut at digital silence as edge does it, in pieces; scraps are dropped."""
    rate_hz = audio_info(path).rate_hz
    gaps = Gaps(rate_hz)
    held: list[Float32Array] = []  # an unbroken stretch, at the recording's rate
    for block in read_blocks(path):
        for part in gaps.push(block):
            if isinstance(part, int):
                yield from _cut(held, round(speed * rate_hz))
                held = []
            else:
                held.append(part)
    yield from _cut([*held, gaps.flush()], round(speed * rate_hz))


def _cut(held: Sequence[Float32Array], rate_hz: int) -> Iterator[Float32Array]:
    if not held:
        return
    resampler = Resampler(rate_hz, PANNS.sample_rate_hz)
    samples = np.concatenate([resampler.push(np.concatenate(held)), resampler.finish()])
    longest = round(LONGEST_PIECE_S * PANNS.sample_rate_hz)
    for start in range(0, len(samples), longest):
        if len(samples) - start >= SHORTEST_PIECE_S * PANNS.sample_rate_hz:
            yield samples[start : start + longest]
