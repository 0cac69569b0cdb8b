"""The load of a machine, between 0 and 1: it changes from time to time and is never quite constant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPAN = (0.1, 0.9)
SETTLING = 0.35  # share of the way to a new load that one second covers


class Load:
    """A value in [0, 1] per sample, smooth over blocks of one second."""

    def __init__(self, rng: np.random.Generator, hold_s: float, restlessness: float = 0.015) -> None:
        """`hold_s` is the mean time between two changes of load; `restlessness` the small wander within a load."""
        self._span = SPAN
        self._rng = rng
        self._hold_s = hold_s
        self._restlessness = restlessness
        self._target = float(rng.uniform(*self._span))
        self._value = self._target
        self._hold_left_s = float(rng.uniform(0.3, 1.0) * hold_s)

    def move_to(self, span: tuple[float, float]) -> None:
        """From now on loads are within this span; the next one begins at once."""
        self._span = span
        self._hold_left_s = 0.0

    def next_block(self, samples: int) -> NDArray[np.float64]:
        """The load over the next second; shape = (samples,)."""
        self._hold_left_s -= 1.0
        if self._hold_left_s <= 0.0:
            self._target = float(self._rng.uniform(*self._span))
            self._hold_left_s = float(self._rng.uniform(0.5, 1.5) * self._hold_s)
        before = self._value
        wander = float(self._rng.normal(0.0, self._restlessness))
        self._value = min(max(before + SETTLING * (self._target - before) + wander, 0.0), 1.0)
        ease = 0.5 - 0.5 * np.cos(np.pi * np.arange(samples) / samples)  # level at both ends: no kink at the seam
        return before + (self._value - before) * ease
