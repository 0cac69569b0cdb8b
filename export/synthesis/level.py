"""Levels in decibels of full scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def amplitude(db: float) -> float:
    """The amplitude ratio of a level in dB: -20 gives 0.1."""
    return float(10.0 ** (db / 20.0))


def level_dbfs(samples: NDArray[np.float32]) -> float:
    """RMS level of samples of shape = (n,), where a constant 1.0 is 0 dBFS; -inf for silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    return 10.0 * float(np.log10(power)) if power > 0.0 else float("-inf")


def at_level(samples: NDArray[np.float32], dbfs: float) -> NDArray[np.float32]:
    """Samples of shape = (n,) scaled to an RMS level; silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
    if rms == 0.0:
        return samples
    return (samples * np.float32(amplitude(dbfs) / rms)).astype(np.float32)


def at_peak(samples: NDArray[np.float32], peak: float) -> NDArray[np.float32]:
    """Samples of shape = (n,) scaled so that the largest magnitude is `peak`; silence stays silence."""
    largest = float(np.max(np.abs(samples))) if samples.size else 0.0
    return samples if largest == 0.0 else (samples * np.float32(peak / largest)).astype(np.float32)
