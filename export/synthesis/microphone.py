"""The microphone: gain, its own noise, and the limits of its converter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.level import amplitude

RAIL = 0.999  # nothing comes out larger, so that no file format clips


def hear(
    samples: NDArray[np.float32], rng: np.random.Generator, gain_db: float = 0.0, noise_floor_dbfs: float = -78.0
) -> NDArray[np.float32]:
    """The output of a microphone for sound of shape = (n,): amplified, white noise added, limited softly near full scale."""
    heard = samples * np.float32(amplitude(gain_db))
    heard += rng.standard_normal(len(samples), dtype=np.float32) * np.float32(amplitude(noise_floor_dbfs))
    loud = np.abs(heard) > 0.8
    if np.any(loud):  # rare, so the tanh is only paid for where it is needed
        excess = np.abs(heard[loud]) - 0.8
        heard[loud] = np.sign(heard[loud]) * (0.8 + (RAIL - 0.8) * np.tanh(excess / (RAIL - 0.8)))
    return heard.astype(np.float32, copy=False)
