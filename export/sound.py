"""The sound that batch norms, int8 ranges and the parity gate see: through edge's own front end, at edge's own level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.audio.audio_file import audio_info, find_audio_files, read_blocks
from edge.audio.resampler import Resampler
from edge.errors import AudioError
from edge.features.frontend import BLOCK_FRAMES, FrontEnd, mels_below
from edge.features.level import normalise_offline
from edge.features.logmel import offline_log_mel
from export.synthesis import machine_corpus
from export.trunk import Float32Array

LONGEST_CLIP_S = 10.0
SHORTEST_CLIP_FRAMES = 5 * BLOCK_FRAMES  # the gate leaves out a block at either end
NARROW_BANDWIDTH_HZ = 8000.0  # what a 16 kHz microphone hears
NARROW_EVERY = 4


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of sound as the backbone sees it."""

    samples: Float32Array  # (n,) float32 at the front end's rate
    bandwidth_hz: float  # what the microphone heard
    log_mel: Float32Array  # (time, mel) float32 dB, level-normalised, masked above the bandwidth; a whole number of blocks
    is_full_band: bool


def synthesised_clips(front_end: FrontEnd, seconds: float, seed: int) -> list[Clip]:
    """Different machines, 5-10 s each; every fourth as recorded by a 16 kHz microphone."""
    corpus = machine_corpus(seconds, seed, front_end.sample_rate_hz)
    return [_clip(samples, front_end, narrow=index % NARROW_EVERY == NARROW_EVERY - 1) for index, samples in enumerate(corpus)]


def recorded_clips(front_end: FrontEnd, folder: Path, seconds: float) -> list[Clip]:
    """Clips of at most 10 s from the recordings in `folder`, taken evenly from all files, `seconds` in all.

    Raises
    ------
    AudioError : no such folder, no audio in it, a file that cannot be read, or nothing long enough
    """
    files = find_audio_files([folder])
    wanted = max(1, round(seconds / LONGEST_CLIP_S))
    chosen = [files[index] for index in np.unique(np.linspace(0, len(files) - 1, wanted).round().astype(int))]
    per_file = -(-wanted // len(chosen))
    clips = [clip for path in chosen for clip in _clips_of_file(path, front_end, per_file)][:wanted]
    if not clips:
        shortest_s = SHORTEST_CLIP_FRAMES * front_end.frame_s
        raise AudioError(folder, f"holds no recording of {shortest_s:.1f} s or more; calibration needs longer ones")
    return clips


def _clips_of_file(path: Path, front_end: FrontEnd, most: int) -> Iterator[Clip]:
    rate_hz = audio_info(path).rate_hz
    resampler = Resampler(rate_hz, front_end.sample_rate_hz)
    length = round(LONGEST_CLIP_S * front_end.sample_rate_hz)
    held = np.zeros(0, np.float32)  # (n,) float32
    for block in read_blocks(path):
        held = np.concatenate([held, resampler.push(block)])
        while len(held) >= length and most:
            yield _clip(held[:length], front_end, narrow=False, rate_hz=rate_hz)
            held, most = held[length:], most - 1
        if not most:
            return
    held = np.concatenate([held, resampler.finish()])
    if len(held) >= SHORTEST_CLIP_FRAMES * front_end.hop_samples:
        yield _clip(held, front_end, narrow=False, rate_hz=rate_hz)


def _clip(samples: Float32Array, front_end: FrontEnd, *, narrow: bool, rate_hz: int | None = None) -> Clip:
    bandwidth_hz = NARROW_BANDWIDTH_HZ if narrow else (rate_hz or front_end.sample_rate_hz) / 2
    mels = mels_below(front_end, bandwidth_hz)
    log_mel = normalise_offline(offline_log_mel(samples, front_end), front_end, mels)
    return Clip(samples, bandwidth_hz, log_mel, mels == front_end.mel_bands)
