"""The colour of a microphone and its mounting: a smooth random frequency response."""

from __future__ import annotations

import numpy as np

from export.synthesis.fir import Kernel, minimum_phase


def equaliser_kernel(sample_rate_hz: int, rng: np.random.Generator, spread_db: float = 4.0, bands: int = 8, taps: int = 1024) -> Kernel:
    """A minimum-phase kernel whose response moves between random gains at logarithmically spaced frequencies; shape = (taps,)."""
    nodes = np.linspace(np.log2(50.0), np.log2(sample_rate_hz / 2.0), bands)
    gains_db = rng.normal(0.0, spread_db, bands)
    place = np.log2(np.maximum(np.fft.rfftfreq(taps, 1.0 / sample_rate_hz), 50.0))
    response_db = np.interp(place, nodes, gains_db - gains_db.mean())
    response_db = np.convolve(np.pad(response_db, 8, mode="edge"), np.hanning(17) / np.hanning(17).sum(), mode="valid")
    return minimum_phase(10.0 ** (response_db / 20.0))
