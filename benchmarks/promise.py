"""Do thresholds keep their promise? One machine is recorded, calibrated on, and heard for hours more while nothing is wrong with it.

The machine is synthesised: its load changes every minute or so, and everything with it, as it would in a workshop. It is learned from the
first minutes of a recording and then goes on. What opens an event under a promise of so many false alarms per week is counted: as
subscribers would be told, so that what is less than a window and a cooldown apart counts once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from benchmarks.alarms import Alarms
from benchmarks.learned import DEFAULTS
from benchmarks.rate import Rate
from calibrate.calibration import calibrate
from calibrate.settings import CalibrationSettings
from edge.features.frontend import PANNS
from edge.judgement.tail import SECONDS_PER_WEEK
from edge.judgement.tail_fit import seconds_to_support, supported_false_alarms_per_week
from edge.model import Model
from export.synthesis import MachineDesign, RotatingMachine

Report = Callable[[float], None]  # of seconds of sound made or heard

RATE_HZ = PANNS.sample_rate_hz
RECORDING_S = 60.0  # as `auscult calibrate record` writes them
PIECE_S = 10.0
LEVEL_DBFS = -32.0  # headroom for a knock


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one promise, after one calibration."""

    minutes: int  # of calibration
    promised_per_week: float
    supported_per_week: float  # what so much sound supports
    seconds_needed: float  # of recordings, to support the promise
    predicted_per_week: float  # by the fitted tail, at the threshold: the promise, unless more was promised than there are peaks
    observed: Rate


def machine(seed: int, hold_s: float) -> RotatingMachine:
    """Return a machine whose load changes every `hold_s` seconds, more or less."""
    return RotatingMachine(seed, RATE_HZ, MachineDesign(load_hold_s=hold_s, level_dbfs=LEVEL_DBFS))


def learn(
    source: RotatingMachine, minutes: Sequence[int], settings: CalibrationSettings = DEFAULTS, report: Report = lambda seconds: None
) -> dict[int, Model]:
    """Record a machine for the largest of `minutes`, and calibrate on the first so many of them; return what was learned from each."""
    models = {}
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        recordings = []
        for number in range(max(minutes)):
            recordings.append(Path(folder, f"{number:04}.flac"))
            soundfile.write(recordings[-1], source.render(RECORDING_S), RATE_HZ, subtype="PCM_16")
            report(RECORDING_S)
        for count in sorted(minutes):
            bundle = Path(folder, f"{count}.auscult")
            calibrate(recordings[:count], bundle, settings)
            models[count] = Model.load(bundle)
            report(count * RECORDING_S)
    return models


def count_alarms(
    source: RotatingMachine, alarms: Mapping[int, Alarms], promises: Sequence[float], seconds: float, report: Report = lambda seconds: None
) -> list[Kept]:
    """Let the machine continue for so many seconds and count alarms, for each calibration (by its minutes) and promise."""
    counts = dict.fromkeys(((minutes, promise) for minutes in alarms for promise in promises), 0)
    for samples in source.pieces(seconds, PIECE_S):
        for minutes, ears in alarms.items():
            for opened in ears.push(samples):
                counts[minutes, opened.false_alarms_per_week] += 1
        report(len(samples) / RATE_HZ * len(alarms))
    return [
        Kept(
            minutes=minutes,
            promised_per_week=promise,
            supported_per_week=supported_false_alarms_per_week(minutes * RECORDING_S),
            seconds_needed=seconds_to_support(promise),
            predicted_per_week=_predicted(alarms[minutes].model, promise),
            observed=Rate(count, seconds),
        )
        for (minutes, promise), count in counts.items()
    ]


def _predicted(model: Model, promise: float) -> float:
    return model.tail.alarms_per_s(model.tail.surprise_at(promise)) * SECONDS_PER_WEEK


def pooled(results: Sequence[Sequence[Kept]]) -> list[Kept]:
    """Add up what became of the same promises on several machines."""
    together = []
    for same in zip(*results, strict=True):
        observed = Rate(sum(kept.observed.count for kept in same), sum(kept.observed.seconds for kept in same))
        predicted = sum(kept.predicted_per_week for kept in same) / len(same)
        together.append(replace(same[0], observed=observed, predicted_per_week=predicted))
    return together
