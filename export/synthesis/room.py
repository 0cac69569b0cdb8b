"""The room around a machine: the direct sound, then decaying noise."""

from __future__ import annotations

import numpy as np

from export.synthesis.fir import Kernel, convolve, minimum_phase


def room_kernel(sample_rate_hz: int, rng: np.random.Generator, reverberation_s: float = 0.25, wet_db: float = -6.0) -> Kernel:
    """An impulse response of unit energy whose tail is `wet_db` against the direct sound and loses 60 dB in `reverberation_s`.

    High frequencies die away twice as fast, as they do in air and soft walls. shape = (round(reverberation_s * sample_rate_hz),).
    """
    taps = max(round(reverberation_s * sample_rate_hz), 64)
    t = np.arange(taps) / sample_rate_hz
    frequency_hz = np.fft.rfftfreq(512, 1.0 / sample_rate_hz)
    dark = minimum_phase(1.0 / np.sqrt(1.0 + (frequency_hz / 2000.0) ** 4))
    low = convolve(rng.standard_normal(taps, dtype=np.float32), dark)[:taps]
    high = rng.standard_normal(taps, dtype=np.float32)
    tail = low * np.exp(-6.908 * t / reverberation_s) + 0.5 * high * np.exp(-13.816 * t / reverberation_s)
    tail[: round(0.003 * sample_rate_hz)] = 0.0  # the nearest wall is half a metre away
    tail *= 10.0 ** (wet_db / 20.0) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    kernel: Kernel = (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)
    return kernel
