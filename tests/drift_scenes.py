"""Hours of a machine for the drift: a day's levels by hour, without noise that would have to be drawn for weeks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.drift.history import History
from edge.drift.hour import SCORE, OpenHour

Float32 = NDArray[np.float32]

BANDS = 16
EDGES_HZ = tuple((100.0 * band, 100.0 * band + 150.0) for band in range(BANDS))
WORN = 5


def history() -> History:
    return History(edges_hz=EDGES_HZ, began=0)


def spectrum(at: int, *, wear_db_a_day: float = 0.0, step_db: float = 0.0, step_at: int = 0) -> Float32:
    """A machine that runs by day, idles at night and stands at weekends (days 5 and 6), in a room that is louder by day."""
    day, hour = divmod(at, 24)
    shape = np.linspace(0.0, -20.0, BANDS)
    levels = -80.0 + shape if day % 7 > 4 else -50.0 + shape if 6 <= hour < 22 else -58.0 + 0.5 * shape
    levels = levels + (1.0 if 6 <= hour < 22 else 0.0)
    levels[WORN] += (wear_db_a_day * at / 24.0 if day % 7 <= 4 else 0.0) + (step_db if at >= step_at else 0.0)
    return levels.astype(np.float32)


def heard(at: int, levels: Float32, rng: np.random.Generator, windows: int = 12) -> OpenHour:
    """An hour of such windows, which vary by half a dB, and by a tenth from hour to hour."""
    hour = OpenHour(at, "a" * 64)
    wander = 0.1 * rng.standard_normal(BANDS)
    for _ in range(windows):
        hour.add((levels + wander + 0.5 * rng.standard_normal(BANDS)).astype(np.float32), {SCORE: 0.2, "level": 0.1})
    return hour
