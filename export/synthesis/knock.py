"""A knock: one or a few impacts on a body with several modes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.level import at_peak
from export.synthesis.resonance import decaying_mode


def knock(
    sample_rate_hz: int, rng: np.random.Generator, lowest_hz: float = 350.0, modes: int = 10, decay_s: float = 0.25
) -> NDArray[np.float32]:
    """A damped multi-mode impact of peak 1; higher modes are softer and die sooner. shape = (about decay_s * rate,)."""
    ratios = np.cumprod(np.concatenate([[1.0], rng.uniform(1.15, 1.7, modes - 1)]))  # modes of plates are not harmonic
    frequencies_hz = lowest_hz * ratios
    frequencies_hz = frequencies_hz[frequencies_hz < 0.45 * sample_rate_hz]
    impact = np.zeros(round(decay_s * sample_rate_hz) + 1, np.float32)
    for order, frequency_hz in enumerate(frequencies_hz):
        mode = decaying_mode(frequency_hz, decay_s / (1.0 + 0.25 * order), sample_rate_hz)
        impact[: len(mode)] += mode * np.float32(rng.uniform(0.5, 1.0) / (1.0 + 0.12 * order))
    contact = round(0.0006 * sample_rate_hz)  # hammer and body touch for a moment: a noise burst
    impact[:contact] += rng.normal(0.0, 0.7, contact).astype(np.float32)
    return at_peak(impact, 1.0)
