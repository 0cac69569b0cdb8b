"""Weeks of a machine in the band levels of its windows: shifts, loads, nights, weekends, weather, doors, and wear if it is wanted.

Levels are drawn, not sound: weeks of sound would take weeks. What is added to the machine's own level, in dB:

loads      Idle, half and full load differ by 3 to 12 dB, with another spectrum each; held for half an hour on average.
shifts     From 6 to 22 o'clock all loads, at night mostly idle, and from Friday evening to Monday morning the machine stands still.
room       Noise from elsewhere, 15 dB below the machine's idle, 6 dB louder by day; it is all there is when the machine stands.
hours      The level and the tilt wander within hours (0.3 and 0.2 dB).
weather    The same from day to day (0.3 and 0.15 dB, 0.7 of which is left the day after); it bends the spectrum as well as it tilts it.
windows    0.5 dB in each band.
doors      One window in a hundred has 10 dB more in some bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

BANDS = 64
WINDOWS = 360  # an hour
HOLD_WINDOWS = 180
WEEK_HOURS = 168
HOURLY_STAY, DAILY_STAY = 0.9, 0.7


@dataclass(frozen=True, slots=True)
class Wear:
    """A band of the machine, and the two beside it by half, that get louder from a day on."""

    db_a_day: float = 0.2
    from_day: float = 0.0


class MachineWeeks:
    """One machine, drawn by its seed."""

    def __init__(self, seed: int, wear: Wear | None = None) -> None:
        self._rng = np.random.default_rng([seed, 0xD81F7])
        self._wear = wear
        random = self._rng
        idle = _smooth(random, 4.0) - np.linspace(50.0, 65.0, BANDS)
        self._loads = [idle, *(idle + gain + _smooth(random, 2.0) for gain in (random.uniform(3.0, 6.0), random.uniform(7.0, 12.0)))]
        self._room = idle - 15.0 + _smooth(random, 3.0)
        self.first_hour = int(random.integers(WEEK_HOURS))  # of the week
        self.band = int(random.integers(2, BANDS - 2))
        self._shape = np.zeros(BANDS)
        self._shape[self.band - 1 : self.band + 2] = 0.5, 1.0, 0.5
        self._tilt = np.linspace(-1.0, 1.0, BANDS)
        bend = np.cos(np.pi * random.uniform(1.0, 2.5) * self._tilt + random.uniform(0.0, 2.0 * np.pi))
        self._weather = np.stack([np.ones(BANDS), self._tilt + bend])
        self._load = 0

    def hours(self, count: int) -> Iterator[Float32]:
        """The levels of the windows of each hour, (window, band) dB."""
        random = self._rng
        hourly, daily = random.standard_normal(2), random.standard_normal(2)
        for hour in range(count):
            hourly = HOURLY_STAY * hourly + np.sqrt(1.0 - HOURLY_STAY**2) * random.standard_normal(2)
            if hour % 24 == 0:
                daily = DAILY_STAY * daily + np.sqrt(1.0 - DAILY_STAY**2) * random.standard_normal(2)
            yield self._hour(hour, 0.3 * hourly[0] + 0.2 * hourly[1] * self._tilt + (np.array([0.3, 0.15]) * daily) @ self._weather)

    def _hour(self, hour: int, wander: Float64) -> Float32:
        random = self._rng
        of_week = (self.first_hour + hour) % WEEK_HOURS
        of_day = of_week % 24
        is_day = 6 <= of_day < 22
        loads = self._loads_of(is_day)
        grown = self._wear.db_a_day * max(0.0, hour / 24.0 - self._wear.from_day) if self._wear else 0.0
        stands = of_week >= 4 * 24 + 22 or of_week < 6
        machine = np.full((WINDOWS, BANDS), -200.0) if stands else np.array(self._loads)[loads] + wander + grown * self._shape
        room = self._room + (6.0 if is_day else 0.0) + 0.3 * random.standard_normal()
        levels = 10.0 * np.log10(10.0 ** (0.1 * machine) + 10.0 ** (0.1 * room)) + 0.5 * random.standard_normal((WINDOWS, BANDS))
        doors = random.random(WINDOWS) < 0.01
        levels[np.ix_(doors, np.arange(20, 50))] += 10.0
        heard: Float32 = levels.astype(np.float32)
        return heard

    def _loads_of(self, is_day: bool) -> NDArray[np.int64]:
        random = self._rng
        changes = random.random(WINDOWS) < 1.0 / HOLD_WINDOWS
        loads = np.zeros(WINDOWS, np.int64)
        for window in range(WINDOWS):
            if changes[window]:
                self._load = int(random.integers(3)) if is_day else int(random.random() < 0.1)
            loads[window] = self._load
        return loads


def _smooth(random: np.random.Generator, spread_db: float) -> Float64:
    drawn = np.convolve(random.standard_normal(BANDS + 8), np.hanning(9) / np.sqrt(np.square(np.hanning(9)).sum()), "valid")
    smooth: Float64 = spread_db * drawn[:BANDS]
    return smooth
