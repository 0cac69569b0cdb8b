"""The smallest steady change that a bundle can detect: how much louder an octave must be for a whole window to alarm.

Told of windows that the heads had not heard, which are made louder in their averages; what moments say of them stays as it was, so a change
that is heard by cells too is heard earlier still.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from calibrate.steady import FittedSteady
from calibrate.unheard import UnheardSurprise
from edge.judgement.fusion import Units

OCTAVES_HZ = (63, 125, 250, 500, 1000, 2000, 4000, 8000)  # centres
MOST_WINDOWS = 24
MOST_DB = 30.0
STEP_DB = 0.1


class LimitWindow(Protocol):
    """A window of normal sound."""

    @property
    def cells(self) -> float:
        """What the heads of cells make of it, before their unit."""

    def louder(self, band_hz: tuple[float, float], by_db: float) -> float:
        """What those of steady sound would make of it, before their unit, if a band were louder by so many dB."""


@dataclass(frozen=True, slots=True)
class DetectionLimit:
    """By octave the change that is detected in half of all windows, in dB; None where `MOST_DB` are not enough."""

    octaves_db: Mapping[int, float | None]

    @property
    def by_octave(self) -> dict[str, float | None]:
        """As JSON holds it."""
        return {str(octave): limit for octave, limit in self.octaves_db.items()}

    @property
    def note(self) -> str:
        """As calibration prints it; empty if there is nothing to print."""
        if not self.octaves_db:
            return ""
        known = sorted(MOST_DB if limit is None else limit for limit in self.octaves_db.values())
        half = known[len(known) // 2]
        if half >= MOST_DB:
            return f"with these recordings a band that gets louder alarms only beyond {MOST_DB:.0f} dB"
        each = ", ".join(
            f"{octave} Hz {f'{MOST_DB:.0f}+' if limit is None else f'{limit:.1f}'}" for octave, limit in self.octaves_db.items()
        )
        return f"with these recordings a band must be {half:.1f} dB louder to alarm (octave by octave: {each})"


def detection_limit(
    steady: FittedSteady, unheard: Sequence[UnheardSurprise], units: Units, alarm_surprise: float, bandwidth_hz: float
) -> DetectionLimit:
    """Find it for recordings."""
    windows = [_Unheard(steady, one, place) for one in unheard for place in range(len(one.cells))]
    return limit_of(windows, units, alarm_surprise, bandwidth_hz)


def limit_of(windows: Sequence[LimitWindow], units: Units, alarm_surprise: float, bandwidth_hz: float) -> DetectionLimit:
    """Find it for every octave that the microphone carries wholly."""
    windows = windows[:: max(1, -(-len(windows) // MOST_WINDOWS))]
    octaves = [octave for octave in OCTAVES_HZ if octave * np.sqrt(2.0) <= bandwidth_hz]
    return DetectionLimit({octave: _limit(windows, units, alarm_surprise, octave) for octave in octaves} if windows else {})


@dataclass(frozen=True, slots=True)
class _Unheard:
    """A `LimitWindow` of a recording."""

    steady: FittedSteady
    recording: UnheardSurprise
    place: int

    @property
    def cells(self) -> float:
        return float(self.recording.cells[self.place])

    def louder(self, band_hz: tuple[float, float], by_db: float) -> float:
        return self.steady.held_out_louder(self.recording.recording, *self.recording.blocks(self.place), band_hz, by_db)


def _limit(windows: Sequence[LimitWindow], units: Units, alarm_surprise: float, octave_hz: float) -> float | None:
    band_hz = (octave_hz / np.sqrt(2.0), octave_hz * np.sqrt(2.0))

    def is_heard(by_db: float) -> bool:
        surprises: list[float] = []
        alarms = 0
        for window in windows:
            surprises.append(math.hypot(window.cells / units.cells, window.louder(band_hz, by_db) / units.steady))
            alarms += surprises[-1] >= alarm_surprise
            if 2 * max(alarms, len(surprises) - alarms) > len(windows):  # more than half agree, and the median with them
                return 2 * alarms > len(windows)
        return bool(np.median(surprises) >= alarm_surprise)

    low, high = 0, round(MOST_DB / STEP_DB)
    if not is_heard(MOST_DB):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_heard(middle * STEP_DB) else (middle, high)
    return round(high * STEP_DB, 1)
