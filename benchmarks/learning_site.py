"""A machine at work for weeks, heard by one microphone: shifts, loads that first come up after hours and days, nights, weekends, wear.

    from the beginning      low loads; the workshop is noisy by day and quiet by night; the gain of all goes up and down once a day
    after a shift           loads that are a little higher, in some of the shifts
    after a day             high loads
    after two days          low loads, and a compressor nearby
    at weekends             the machine stands still, and the workshop is quiet

What comes up for the first time does so by the third day: nothing is new after that but what nobody has heard yet by chance.

Time is compressed. The first half hour is as long as it is, for a calibration; after that a day is so many seconds of sound, and a shift of
eight hours a third of it. Within a shift loads change as quickly as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.ordinary_changes import band_power
from export.synthesis import MachineDesign, RotatingMachine
from export.synthesis.fir import StreamingFir, convolve, unit_energy
from export.synthesis.leak import band_kernel
from export.synthesis.level import amplitude
from export.synthesis.load import Load
from export.synthesis.resonance import body_kernel
from export.synthesis.sound_stream import SoundStream

Float32 = NDArray[np.float32]

RATE_HZ = 32000
LEVEL_DBFS = -32.0  # headroom for a knock
REAL_TIME_S = 1800.0
DAY_H, WEEK_H = 24.0, 168.0
STARTS_H = 8.0  # of a Monday
WORK_STARTS_H, WORK_ENDS_H = 6.0, 138.0  # of a week: from Monday 6 in the morning to Saturday 6 in the evening
LIGHT_H = (6.0, 22.0)  # of a day
STOPPED, LOW, MIDDLE, HIGH, NEIGHBOUR = "stopped", "low", "middle", "high", "neighbour"
LOADS = {LOW: (0.1, 0.4), MIDDLE: (0.35, 0.55), HIGH: (0.65, 0.95), NEIGHBOUR: (0.1, 0.4)}
SHIFT_H = 8.0
FROM_SHIFT = {MIDDLE: 1, HIGH: 3, NEIGHBOUR: 6}  # after the start
SHARE = {MIDDLE: 0.25, HIGH: 0.2, NEIGHBOUR: 0.2}  # of the shifts from then on
NEIGHBOUR_DB = -15.0  # against the machine
WORKSHOP_DB, NIGHT_DB = -15.0, -12.0  # by day against the machine, whose noise it is like; by night against the day
SWING_DB = 0.5  # of all, up in the early afternoon and down at night
LOAD_HOLD_S = 20.0
STEP_DB_S = 20.0  # how fast something comes and goes
WEAR_HZ = (1414.0, 2828.0)
SILENT_DB = -100.0


@dataclass(frozen=True, slots=True)
class Calendar:
    """From seconds of sound to hours of a week and back."""

    day_s: float  # of sound, that a day is compressed to
    real_s: float = REAL_TIME_S  # at the beginning, that are not compressed

    def hours(self, heard_s: float) -> float:
        """Hours since the start."""
        return min(heard_s, self.real_s) / 3600.0 + max(0.0, heard_s - self.real_s) * DAY_H / self.day_s

    def heard_s(self, hours: float) -> float:
        """Seconds of sound by so many hours after the start."""
        real_h = self.real_s / 3600.0
        return 3600.0 * min(hours, real_h) + max(0.0, hours - real_h) * self.day_s / DAY_H


STILL = Calendar(1e9)  # a day takes for ever: all of it is like the beginning


def is_working(hours: float) -> bool:
    """Whether the machine runs, so many hours after the start."""
    return WORK_STARTS_H <= (STARTS_H + hours) % WEEK_H < WORK_ENDS_H


def is_light(hours: float) -> bool:
    """Whether it is day."""
    return LIGHT_H[0] <= (STARTS_H + hours) % DAY_H < LIGHT_H[1]


class Site(SoundStream):
    """What the microphone hears. The seed decides on the machine, the neighbour and all that they do."""

    def __init__(self, seed: int, calendar: Calendar, wear_db_per_day: float = 0.0) -> None:
        super().__init__(RATE_HZ)
        self.calendar = calendar
        self.state = LOW  # in the last second
        self._shift_rng = np.random.default_rng([seed, 0x517E])
        self._noise_rng = np.random.default_rng([seed, 0x517F])
        design = MachineDesign(load_hold_s=LOAD_HOLD_S, level_dbfs=LEVEL_DBFS)
        self._load = Load(np.random.default_rng([seed, 0x5180]), LOAD_HOLD_S)
        self.machine = RotatingMachine(seed, RATE_HZ, design, self._load)
        other = replace(MachineDesign.random(np.random.default_rng([seed, 0x5181])), level_dbfs=LEVEL_DBFS + NEIGHBOUR_DB)
        self._neighbour = RotatingMachine(seed + 1_000_000, RATE_HZ, other)
        none = np.zeros(0)
        body = body_kernel(RATE_HZ, none, none, none, design.slope_db_per_octave, design.corner_hz)
        self._workshop = StreamingFir(unit_energy(convolve(body, self.machine.colour)), self.block_samples)
        self._friction = StreamingFir(band_kernel(*WEAR_HZ, RATE_HZ), self.block_samples)
        self._wear_db_per_day = wear_db_per_day
        probe = RotatingMachine(seed, RATE_HZ, design, Load(np.random.default_rng([seed, 0x5182]), LOAD_HOLD_S)).render(20.0)
        self._worn_power = band_power(probe, RATE_HZ, WEAR_HZ)
        self._heard_s = 0.0
        self._shifts = 0  # that have begun
        self._shift = LOW  # what this one is like, while the machine runs
        self._gains_db = {"machine": 0.0, "neighbour": SILENT_DB, "workshop": WORKSHOP_DB}

    @property
    def hours(self) -> float:
        """Since the start, by the second that comes next."""
        return self.calendar.hours(self._heard_s)

    def next_block(self) -> Float32:
        """The next second; shape = (block_samples,)."""
        hours = self.hours
        self._heard_s += 1.0
        if hours >= SHIFT_H * self._shifts:
            self._begin_shift()
        runs = is_working(hours)
        workshop_db = WORKSHOP_DB + (0.0 if runs and is_light(hours) else NIGHT_DB)
        total = self._faded("workshop", workshop_db) * self._noise(self._workshop, amplitude(LEVEL_DBFS))
        machine = self._faded("machine", 0.0 if runs else SILENT_DB)
        if machine.any():
            total += machine * (self.machine.next_block() + self._wear(hours / DAY_H))
        neighbour = self._faded("neighbour", 0.0 if runs and self._shift == NEIGHBOUR else SILENT_DB)
        if neighbour.any():
            total += neighbour * self._neighbour.next_block()
        self.state = self._shift if runs else STOPPED
        swing_db = SWING_DB * np.cos(2.0 * np.pi * (STARTS_H + hours - 14.0) / DAY_H)
        return total * np.float32(amplitude(float(swing_db)))

    def _begin_shift(self) -> None:
        """Draw what it is like; what there was not yet comes as soon as it may."""
        there = [shift for shift, first in FROM_SHIFT.items() if self._shifts >= first]
        chances = [SHARE[shift] for shift in there]
        drawn = str(self._shift_rng.choice([LOW, *there], p=[1.0 - sum(chances), *chances]))
        self._shift = next((shift for shift in there if FROM_SHIFT[shift] == self._shifts), drawn)
        self._shifts += 1
        self._load.move_to(LOADS[self._shift])

    def _faded(self, name: str, wanted_db: float) -> Float32:
        """The gain over the next second, shape (block_samples,); zero when nothing is to be heard."""
        before = self._gains_db[name]
        after = before + float(np.clip(wanted_db - before, -STEP_DB_S, STEP_DB_S))
        self._gains_db[name] = after
        low, high = (0.0 if db <= SILENT_DB else amplitude(db) for db in (before, after))
        return np.linspace(low, high, self.block_samples, endpoint=False, dtype=np.float32)

    def _noise(self, fir: StreamingFir, level: float) -> Float32:
        return fir.push(self._noise_rng.standard_normal(self.block_samples, dtype=np.float32)) * np.float32(level)

    def _wear(self, days: float) -> Float32:
        """Noise that makes one octave of the machine louder, shape (block_samples,), or 0."""
        if not self._wear_db_per_day:
            return np.zeros(1, np.float32)
        power = self._worn_power * (10.0 ** (self._wear_db_per_day * days / 10.0) - 1.0)
        return self._noise(self._friction, float(np.sqrt(power)))
