"""Background sound mixed into recordings of machines at a chosen signal-to-noise ratio.

A machine's clip is the signal, the background the noise; both powers are means over the whole clip. The background of a clip is
a row of background recordings, each brought to the same power (or the loudest would be all that is heard) and faded into the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip, read_clip_at
from edge.errors import AudioError

FADE_S = 0.02


class BackgroundMixer:
    """Mixes random backgrounds into clips. Every random choice comes from the generator that a call is given."""

    def __init__(self, backgrounds: Sequence[Path], snr_db: float) -> None:
        """`backgrounds` are the recordings to draw from; each is read once per sample rate and kept."""
        self._paths = list(backgrounds)
        self._snr_db = snr_db
        self._cache: dict[tuple[Path, int], Clip] = {}

    def mixed(self, clip: Clip, random: np.random.Generator) -> Clip:
        """Return `clip` with background `snr_db` below it.

        Both are turned down by one factor that depends on the ratio alone: a mixture is about as loud as its clip was, so it does not clip,
        and clips keep their loudness relative to each other.
        """
        background = self.background(len(clip.samples), clip.rate_hz, random)
        power_ratio = 10.0 ** (-self._snr_db / 10.0)  # of background to clip
        gain = np.sqrt(clip.power * power_ratio / _power(background))
        mixture = (clip.samples + gain * background) / np.sqrt(1.0 + power_ratio)
        return Clip(mixture.astype(np.float32), clip.rate_hz)

    def background(self, samples: int, rate_hz: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Return `samples` of background, shape (samples,): recordings in random order, none twice until all were heard."""
        fade = min(round(FADE_S * rate_hz), samples)
        ramp = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / max(1, fade))  # its square and its mirror's add up to 1: power stays even
        total = np.zeros(samples)
        start = 0
        silent = 0
        queue: list[int] = []
        while start < samples:
            if silent > len(self._paths):
                raise AudioError("background recordings", "all of them are silent")
            queue = queue or random.permutation(len(self._paths)).tolist()
            piece = self._read(self._paths[queue.pop()], rate_hz)
            if piece.power == 0.0 or len(piece.samples) <= 2 * fade:
                silent += 1
                continue
            shaped = piece.samples.astype(np.float64) / np.sqrt(piece.power)
            if start:
                shaped[:fade] *= ramp
            shaped[len(shaped) - fade :] *= ramp[::-1]
            shaped = shaped[: samples - start]
            total[start : start + len(shaped)] += shaped
            start += len(piece.samples) - fade
        return total

    def _read(self, path: Path, rate_hz: int) -> Clip:
        if (path, rate_hz) not in self._cache:
            self._cache[path, rate_hz] = read_clip_at(path, rate_hz)
        return self._cache[path, rate_hz]


def _power(samples: NDArray[np.float64]) -> float:
    return float(np.var(samples))
