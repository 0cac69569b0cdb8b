"""A steady tone: a squeal, a whistle, a vibrating panel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def faded(samples: NDArray[np.float32], fade_s: float, sample_rate_hz: int) -> NDArray[np.float32]:
    """Samples of shape = (n,) with raised-cosine ends, so that switching them on and off makes no click."""
    n = min(round(fade_s * sample_rate_hz), len(samples) // 2)
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / max(n, 1))).astype(np.float32)
    result = samples.copy()
    result[:n] *= ramp
    result[len(samples) - n :] *= ramp[::-1]
    return result


def tone(frequency_hz: float, seconds: float, sample_rate_hz: int, rng: np.random.Generator, wander: float = 0.0005) -> NDArray[np.float32]:
    """A sine of amplitude 1 with faded ends whose frequency wanders by a relative `wander`; shape = (round(seconds * rate),)."""
    if not 0.0 < frequency_hz < sample_rate_hz / 2:
        raise ValueError(f"a tone of {frequency_hz} Hz does not fit into {sample_rate_hz} samples per second")
    n = round(seconds * sample_rate_hz)
    t = np.arange(n) / sample_rate_hz
    sway_hz, start = rng.uniform(0.3, 1.0), rng.uniform(0.0, 2.0 * np.pi)
    # the integral of a frequency that sways sinusoidally
    phase = 2.0 * np.pi * frequency_hz * t - frequency_hz * wander / sway_hz * np.cos(2.0 * np.pi * sway_hz * t + start)
    return faded(np.sin(phase).astype(np.float32), 0.03, sample_rate_hz)
