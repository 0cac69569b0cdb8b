"""Background sound mixed into recordings of machines: at one ratio to every clip, or at one level for all clips of a machine.

The background of a clip is a row of background recordings, each brought to the same power (or the loudest would be all that is heard) and
faded into the next. At one ratio a louder clip gets a louder background, so the level of a mixture still tells how loud the machine was,
however low the ratio. At one level, as in a workshop whose noise does not follow the machine, that is masked like everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip, read_clip_at
from calibrate.left_out import Sieve
from edge.errors import AudioError

FADE_S = 0.02


Mix = Callable[[Clip, np.random.Generator], Clip]  # one clip with background; every random choice comes from the generator


class Mixer(Protocol):
    """What puts background into the clips of machines."""

    def of_unit(self, fit: Iterable[Clip]) -> Mix:
        """Return what mixes the clips of one machine, of which `fit` are learned from."""
        ...


class Backgrounds:
    """Recordings of everything but the machine, in rows as long as they are needed."""

    def __init__(self, backgrounds: Sequence[Path], sieve: Sieve | None = None) -> None:
        """`backgrounds` are the recordings to draw from; each is read once per sample rate and kept. Unreadable ones stay in the sieve."""
        self._paths = list(backgrounds)
        self._sieve = sieve or Sieve()
        self._cache: dict[tuple[Path, int], Clip] = {}

    def background(self, samples: int, rate_hz: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Return `samples` of background, shape (samples,): recordings in random order, none twice until all were used."""
        fade = min(round(FADE_S * rate_hz), samples)
        ramp = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / max(1, fade))  # its square and its mirror's add up to 1: power stays even
        total = np.zeros(samples)
        start = 0
        silent = 0
        queue: list[int] = []
        while start < samples:
            if silent > len(self._paths):
                raise AudioError("background recordings", "all of them are silent or cannot be read")
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
            self._cache[path, rate_hz] = Clip(np.zeros(0, np.float32), rate_hz)
            with self._sieve.passing(path):
                self._cache[path, rate_hz] = read_clip_at(path, rate_hz)
        return self._cache[path, rate_hz]


class BackgroundMixer(Backgrounds):
    """Background at one ratio of a clip's power to its background's, both means over the whole clip."""

    def __init__(self, backgrounds: Sequence[Path], snr_db: float, sieve: Sieve | None = None) -> None:
        """`snr_db` is how far a clip is above its background."""
        super().__init__(backgrounds, sieve)
        self._snr_db = snr_db

    def of_unit(self, fit: Iterable[Clip]) -> Mix:
        """A ratio asks nothing of the machine: the same for all."""
        return self.mixed

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


class LevelMixer(Backgrounds):
    """Background at one level for all clips of a machine, whatever their own."""

    def __init__(self, backgrounds: Sequence[Path], noise_db: float, sieve: Sieve | None = None) -> None:
        """`noise_db` is how far the background is above the mean power of the clips that are learned from."""
        super().__init__(backgrounds, sieve)
        self._power_ratio = 10.0 ** (noise_db / 10.0)  # of background to machine

    def of_unit(self, fit: Iterable[Clip]) -> Mix:
        """Return what mixes the clips of a machine; AudioError when those to learn from are silent."""
        power = float(np.mean([clip.power for clip in fit] or [0.0]))
        if power == 0.0:
            raise AudioError("fit recordings", "are silent, so no level of background can be derived from them")
        return partial(self._mixed, np.sqrt(power * self._power_ratio))

    def _mixed(self, gain: float, clip: Clip, random: np.random.Generator) -> Clip:
        """All clips of all machines are turned down by one factor, so that mixtures are about as loud as the machine was."""
        mixture = clip.samples + gain * self.background(len(clip.samples), clip.rate_hz, random)
        return Clip((mixture / np.sqrt(1.0 + self._power_ratio)).astype(np.float32), clip.rate_hz)


def _power(samples: NDArray[np.float64]) -> float:
    return float(np.var(samples))
