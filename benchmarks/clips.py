"""Whole recordings in memory: one channel at its own rate, read and written in the same way by every benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from calibrate.recordings import resampled
from edge.audio.audio_file import audio_info, read_blocks

CHANNEL = 0  # of microphone arrays: a device has one microphone


@dataclass(frozen=True, slots=True)
class Clip:
    """One channel of one recording."""

    samples: NDArray[np.float32]  # (samples,) float32, full scale -1 to 1
    rate_hz: int

    @property
    def power(self) -> float:
        """Mean square about the mean: an offset is not sound."""
        return float(np.var(self.samples, dtype=np.float64)) if len(self.samples) else 0.0


def read_clip(path: Path) -> Clip:
    """Read the first channel of a recording; AudioError when it cannot be read."""
    return Clip(np.concatenate(list(read_blocks(path, CHANNEL))), audio_info(path).rate_hz)


def read_clip_at(path: Path, rate_hz: int) -> Clip:
    """Read the first channel of a recording and resample it to `rate_hz`."""
    clip = read_clip(path)
    return Clip(np.concatenate(list(resampled(iter([clip.samples]), clip.rate_hz, rate_hz))), rate_hz)


def pieces(clip: Clip, seconds: float | None) -> list[Clip]:
    """A clip cut into pieces of so many seconds, without the rest; one that is no longer than that, or any for None, is a piece itself."""
    length = len(clip.samples) if seconds is None else round(seconds * clip.rate_hz)
    whole = len(clip.samples) // max(1, length)
    return [Clip(clip.samples[piece * length : (piece + 1) * length], clip.rate_hz) for piece in range(whole)] or [clip]


def write_clip(path: Path, clip: Clip) -> None:
    """Write a clip as 32-bit float WAV, so that nothing is rounded or clipped on the way."""
    soundfile.write(path, clip.samples, clip.rate_hz, subtype="FLOAT", format="WAV")
