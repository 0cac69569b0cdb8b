"""Do thresholds keep their promise on real machines? Each is calibrated on its fit rows, and its normal test rows should stay silent.

Recordings of this size last minutes, not weeks: what was promised is next to nothing in them, and an alarm says that the machine sounded in
another way than while it was learned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.datasets.manifest import Unit
from benchmarks.learned import DEFAULTS, learn
from benchmarks.share import Share
from calibrate.left_out import Sieve, nothing_left
from calibrate.settings import CalibrationSettings
from edge.model import Model
from edge.scoring import FileScore, score_file

Report = Callable[[float], None]  # of files done


@dataclass(frozen=True, slots=True)
class Silence:
    """How many of a machine's normal test files alarm under one promise."""

    promised_per_week: float
    supported_per_week: float
    fit_seconds: float
    seconds: float  # of the test files
    expected: float  # files that should, by the tail and their lengths
    alarms: Share


def measure_silence(
    unit: Unit,
    promises: Sequence[float],
    sieve: Sieve,
    *,
    seed: int = 0,
    settings: CalibrationSettings = DEFAULTS,
    report: Report = lambda files: None,
) -> list[Silence]:
    """Learn one machine and score its normal test rows; what cannot be used stays in the sieve.

    Raises
    ------
    UserError
        When too little is left to learn from, or nothing to test with.
    """
    model = learn(unit.fit, seed, sieve, settings=settings)
    report(len(unit.fit))
    heard = []
    for path in unit.normal:
        with sieve.passing(path):
            heard.append(score_file(model, path))
        report(1)
    if not heard:
        raise nothing_left("no normal test rows", sieve.left_out, len(unit.fit) + len(unit.normal))
    return [_silence(model, heard, promise) for promise in promises]


def _silence(model: Model, heard: Sequence[FileScore], promise: float) -> Silence:
    surprise = model.tail.surprise_at(promise)
    per_s = model.tail.alarms_per_s(surprise)
    manifest = model.bundle.manifest
    return Silence(
        promised_per_week=promise,
        supported_per_week=manifest.threshold.supported_false_alarms_per_week,
        fit_seconds=manifest.data.seconds,
        seconds=sum(one.seconds for one in heard),
        expected=sum(-math.expm1(-per_s * one.seconds) for one in heard),
        alarms=Share(sum(one.score * model.alarm_surprise >= surprise for one in heard), len(heard)),
    )
