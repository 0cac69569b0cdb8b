"""How loud a stream is, and whether it is plausible at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SILENT_DBFS = -80.0  # a 16-bit converter's last two bits
CLIPPED = 32766 / 32768  # both ends of a 16-bit converter; wider ones that clip lie above it too


@dataclass(frozen=True, slots=True)
class Level:
    """One interval. Levels are None, never 0, when there is no signal: 0 dBFS is the loudest there is."""

    dbfs: float | None  # RMS about the mean; a full-scale square wave is 0, a full-scale sine -3.01
    peak_dbfs: float | None
    clipped_fraction: float
    dead: bool  # every sample the same, or none a number: muted, unplugged, the wrong channel or a broken driver
    constant: float | None = None  # the value that all samples of a dead interval have; None when none is a number


class LevelMeter:
    """Measures consecutive intervals of a stream, however it is cut into blocks. Samples that are not numbers are left out."""

    def __init__(self, rate_hz: int, interval_s: float = 1.0) -> None:
        """One `Level` per `interval_s` of sound."""
        self._interval_samples = max(1, round(rate_hz * interval_s))
        self._reset()

    def _reset(self) -> None:
        self._count = 0
        self._finite = 0  # of these, how many are numbers
        self._sum = 0.0
        self._sum_of_squares = 0.0
        self._lowest = math.inf
        self._highest = -math.inf
        self._clipped = 0

    def push(self, samples: NDArray[np.float32]) -> list[Level]:
        """Add `samples` (samples,) and return the intervals that they completed."""
        levels: list[Level] = []
        while len(samples):
            part = samples[: self._interval_samples - self._count]
            samples = samples[len(part) :]
            self._add(part)
            if self._count == self._interval_samples:
                levels.append(self._level())
                self._reset()
        return levels

    def finish(self) -> Level | None:
        """The level of the rest of the last interval; None when there is none."""
        level = self._level() if self._count else None
        self._reset()
        return level

    def _add(self, samples: NDArray[np.float32]) -> None:
        exact = samples.astype(np.float64)  # squares of quiet sound vanish in float32 sums
        self._count += len(samples)
        if not (is_finite := np.isfinite(samples)).all():
            samples, exact = samples[is_finite], exact[is_finite]
        if not len(samples):
            return
        self._finite += len(samples)
        self._sum += float(exact.sum())
        self._sum_of_squares += float(exact @ exact)
        self._lowest = min(self._lowest, float(samples.min()))
        self._highest = max(self._highest, float(samples.max()))
        self._clipped += int(np.count_nonzero(np.abs(samples) >= CLIPPED))

    def _level(self) -> Level:
        if not self._finite:
            return Level(None, None, 0.0, dead=True)
        clipped = self._clipped / self._finite
        if self._lowest == self._highest:
            return Level(None, None, clipped, dead=True, constant=self._lowest)
        mean = self._sum / self._finite
        variance = self._sum_of_squares / self._finite - mean * mean  # an offset is not sound
        peak = max(-self._lowest, self._highest)
        return Level(10 * math.log10(max(variance, 1e-20)), 20 * math.log10(peak), clipped, dead=False)
