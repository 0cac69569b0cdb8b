"""Clicks of valves and solenoids: a plunger that strikes at one end, then at the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.knock import knock


def valve_clicks(
    seconds: float, sample_rate_hz: int, rng: np.random.Generator, period_s: float = 1.0, jitter: float = 0.02
) -> NDArray[np.float32]:
    """Opening and closing clicks at a period with a relative jitter, of peak about 1; shape = (round(seconds * rate),)."""
    n = round(seconds * sample_rate_hz)
    opening = knock(sample_rate_hz, rng, lowest_hz=rng.uniform(900.0, 2500.0), modes=6, decay_s=0.04)
    closing = 0.6 * knock(sample_rate_hz, rng, lowest_hz=rng.uniform(700.0, 2000.0), modes=6, decay_s=0.06)
    open_s = rng.uniform(0.2, 0.6) * period_s
    samples = np.zeros(n + len(opening) + len(closing), np.float32)
    at_s = rng.uniform(0.0, period_s)
    while at_s < seconds:
        for sound, when_s in ((opening, at_s), (closing, at_s + open_s)):
            start = round(when_s * sample_rate_hz)
            if start < n:
                samples[start : start + len(sound)] += sound * np.float32(rng.uniform(0.8, 1.0))
        at_s += period_s * (1.0 + rng.normal(0.0, jitter))
    return samples[:n]
