"""Bodies that ring: magnitude responses with peaks, and single decaying modes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.fir import Kernel, minimum_phase, unit_energy


def body_kernel(
    sample_rate_hz: int,
    peaks_hz: NDArray[np.float64],
    gains_db: NDArray[np.float64],
    widths: NDArray[np.float64],
    slope_db_per_octave: float,
    corner_hz: float,
    taps: int = 2048,
) -> Kernel:
    """A kernel of unit energy: flat to `corner_hz`, then falling by the slope, with bumps of a relative width at the peaks."""
    frequency_hz = np.fft.rfftfreq(taps, 1.0 / sample_rate_hz)
    octaves = np.log2(np.maximum(frequency_hz, 1.0) / corner_hz)
    response_db = slope_db_per_octave * np.logaddexp(0.0, 4.0 * octaves) / 4.0  # a soft corner
    response_db += 12.0 * np.minimum(np.log2(np.maximum(frequency_hz, 1.0) / 40.0), 0.0)  # microphones hear nothing below
    for peak_hz, gain_db, width in zip(peaks_hz, gains_db, widths, strict=True):
        distance = (frequency_hz - peak_hz) / (width * peak_hz)
        response_db = response_db + gain_db / (1.0 + distance**2)
    return unit_energy(minimum_phase(10.0 ** (response_db / 20.0)))


def decaying_mode(frequency_hz: float, decay_s: float, sample_rate_hz: int) -> NDArray[np.float32]:
    """One struck mode: a sine that has lost 60 dB after `decay_s`; shape = (round(decay_s * sample_rate_hz),)."""
    t = np.arange(max(round(decay_s * sample_rate_hz), 1)) / sample_rate_hz
    return (np.sin(2.0 * np.pi * frequency_hz * t) * np.exp(-6.908 * t / decay_s)).astype(np.float32)
