"""A damaged bearing: every ball that rolls over the spall strikes the housing, which rings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.fir import convolve
from export.synthesis.level import at_level
from export.synthesis.resonance import decaying_mode


def bearing_impacts(
    seconds: float,
    sample_rate_hz: int,
    rng: np.random.Generator,
    defect_hz: float,
    resonance_hz: float = 4200.0,
    decay_s: float = 0.006,
    jitter: float = 0.01,
    shaft_hz: float = 0.0,
) -> NDArray[np.float32]:
    """Impacts at the defect frequency, each ringing at the resonance; 0 dBFS RMS. shape = (round(seconds * rate),).

    Balls slip, so the times between impacts vary by a relative `jitter` (Randall and Antoni, Rolling element bearing
    diagnostics, 2011, section 2). With `shaft_hz` the impacts grow and shrink as the spall turns through the load zone.
    """
    if not 0.0 < defect_hz < resonance_hz < sample_rate_hz / 2:
        raise ValueError(f"needs 0 < defect_hz < resonance_hz < half the rate, not {defect_hz}, {resonance_hz} at {sample_rate_hz}")
    n = round(seconds * sample_rate_hz)
    count = int(seconds * defect_hz * 1.2) + 8
    at_s = rng.uniform(0.0, 1.0 / defect_hz) + np.cumsum(np.maximum(rng.normal(1.0, jitter, count), 0.1)) / defect_hz - 1.0 / defect_hz
    at_s = at_s[(at_s >= 0.0) & (at_s * sample_rate_hz < n - 1)]
    strength = rng.uniform(0.7, 1.3, len(at_s)) * (1.0 + (0.5 * np.cos(2.0 * np.pi * shaft_hz * at_s) if shaft_hz > 0.0 else 0.0))
    train = np.zeros(n, np.float32)
    position = at_s * sample_rate_hz
    index = position.astype(np.int64)
    np.add.at(train, index, (strength * (1.0 - (position - index))).astype(np.float32))  # between two samples: shared by both
    np.add.at(train, index + 1, (strength * (position - index)).astype(np.float32))
    ring = decaying_mode(resonance_hz, 3.0 * decay_s, sample_rate_hz)
    second = decaying_mode(min(1.63 * resonance_hz, 0.45 * sample_rate_hz), 2.0 * decay_s, sample_rate_hz)
    ring[: len(second)] += 0.5 * second
    return at_level(convolve(train, ring)[:n], 0.0)
