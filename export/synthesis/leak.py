"""A leak: gas or steam through a small hole, a band of noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.fir import Kernel, StreamingFir, minimum_phase, unit_energy
from export.synthesis.sound_stream import SoundStream


def band_kernel(f_lo_hz: float, f_hi_hz: float, sample_rate_hz: int, taps: int = 1024) -> Kernel:
    """A kernel of unit energy that passes a band, with edges of 24 dB per octave; shape = (taps,)."""
    octaves = np.log2(np.maximum(np.fft.rfftfreq(taps, 1.0 / sample_rate_hz), 1.0))
    below = np.maximum(np.log2(f_lo_hz) - octaves, 0.0)
    above = np.maximum(octaves - np.log2(f_hi_hz), 0.0)
    return unit_energy(minimum_phase(10.0 ** (-24.0 * (below + above) / 20.0)))


class Leak(SoundStream):
    """Noise between two frequencies, flickering a little as turbulence does; unit RMS."""

    def __init__(self, seed: int, sample_rate_hz: int, f_lo_hz: float, f_hi_hz: float) -> None:
        super().__init__(sample_rate_hz)
        if not 0.0 < f_lo_hz < f_hi_hz:
            raise ValueError(f"a leak needs 0 < f_lo_hz < f_hi_hz, not {f_lo_hz} and {f_hi_hz}")
        self._rng = np.random.default_rng([seed, 0x4C])
        self._band = StreamingFir(band_kernel(f_lo_hz, min(f_hi_hz, 0.49 * sample_rate_hz), sample_rate_hz), self.block_samples)
        self._flicker = 1.0

    def next_block(self) -> NDArray[np.float32]:
        """The next second; shape = (block_samples,)."""
        noise = self._band.push(self._rng.standard_normal(self.block_samples, dtype=np.float32))
        flickers = np.clip(self._rng.normal(1.0, 0.06, 10), 0.7, 1.3)
        at = np.linspace(0.0, 10.0, self.block_samples, endpoint=False)
        gain = np.interp(at, np.arange(11), np.concatenate([[self._flicker], flickers]))
        self._flicker = float(flickers[-1])
        leak: NDArray[np.float32] = noise * gain.astype(np.float32)
        return leak
