"""Electric hum: the mains and its harmonics, from transformers and motor windings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.sound_stream import SoundStream
from export.synthesis.wavetable import Wavetable


class Hum(SoundStream):
    """Harmonics of the mains, the even ones strong because magnetic forces pull twice per period; unit RMS."""

    def __init__(self, seed: int, sample_rate_hz: int, mains_hz: float = 50.0) -> None:
        super().__init__(sample_rate_hz)
        rng = np.random.default_rng([seed, 0x48])
        harmonics = int(rng.integers(6, 24))
        order = np.arange(1, harmonics + 1)
        amplitudes = order**-1.2 * np.where(order % 2 == 0, 1.0, 0.3) * rng.uniform(0.3, 1.0, harmonics)
        self._wave = Wavetable(amplitudes, rng)
        self._mains_hz = mains_hz * (1.0 + rng.uniform(-0.001, 0.001))  # grids drift by tenths of a percent
        self._phase = float(rng.uniform())

    def next_block(self) -> NDArray[np.float32]:
        """The next second; shape = (block_samples,)."""
        phase = self._phase + np.arange(self.block_samples, dtype=np.float64) * (self._mains_hz / self.sample_rate_hz)
        self._phase = (self._phase + self.block_samples * self._mains_hz / self.sample_rate_hz) % 1.0
        return self._wave.read(phase)
