"""Weeks of one machine, heard by a bundle of the first half hour and by ones that learn in place: the same sound, in one pass.

static    keeps the bundle
learning  goes on learning, and nobody is there
person    the same, and somebody is: says that what lasts is normal, when that is asked, and marks the first doors and phrases of speech
          that alarm as false alarms
"""

from __future__ import annotations

import math
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.alarms import Alarms
from benchmarks.delay import SCENE_S, TOLD_S
from benchmarks.learned import DEFAULTS
from benchmarks.learning_ears import Learned, LearningEars
from benchmarks.learning_happenings import DOOR, SPEECH, Happening, Rates, happen, happenings
from benchmarks.learning_site import RATE_HZ, Calendar, Site
from calibrate.calibration import calibrate
from calibrate.settings import CalibrationSettings
from edge.model import Model

Ears = Alarms | LearningEars

STATIC, LEARNING, PERSON = "static", "learning", "person"
ARMS = (STATIC, LEARNING, PERSON)
MARKS = 3  # of each
RECORDING_S = 60.0  # as `auscult calibrate record` writes them
LEARN_DAYS = 30.0  # of sound: learning goes on to the end
AFTER_H = 72.0  # faults come, and alarms count, from here on
PUSH_S, FINE_PUSH_S = 5.0, 0.5


@dataclass(frozen=True, slots=True)
class LearningJob:
    """What to measure: one machine. It travels to workers."""

    seed: int
    days: float
    calendar: Calendar
    promises: tuple[float, ...]  # false alarms per week; the first is that of the bundles
    rates: Rates = field(default_factory=Rates)
    after_h: float = AFTER_H
    wear_db_per_day: float = 0.0  # of one octave of the machine
    settings: CalibrationSettings = DEFAULTS

    def key(self, system: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the result depends on; `system` is the settings as JSON can hold them."""
        own = {name: getattr(self, name) for name in ("seed", "days", "calendar", "promises", "rates", "after_h", "wear_db_per_day")}
        return {"measured": "learning", **own, "system": system}


@dataclass(frozen=True, slots=True)
class Heard:
    """What one pair of ears made of a scene; lists are by promise."""

    opened: tuple[int, ...]  # events that were not for what happened
    told: tuple[bool, ...]  # whether one was opened for what happened
    hidden: tuple[bool, ...]  # whether one was open already
    windows: int
    anomalous: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What there was to hear, and who heard what."""

    hours: float  # since the start
    state: str  # of the site
    kind: str  # of what happened; empty for nothing
    size_db: float
    heard: Mapping[str, Heard]  # by arm


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one core per second of sound, in ms; memory in 10^6 bytes; on disk in bytes."""

    static_ms: float
    learning_ms: float  # of the listener that is overheard, all in all
    overhearing_ms: float  # of that, what overhearing costs
    writer_ms: float  # its other thread
    fit_peak_mb: float  # the largest of the processes that made bundles
    stored_bytes: int
    written_bytes: int


@dataclass(frozen=True, slots=True)
class LearningResult:
    """One machine."""

    seed: int
    scenes: tuple[Scene, ...]
    versions: Mapping[str, tuple[Learned, ...]]  # by arm
    failures: Mapping[str, tuple[str, ...]]  # why bundles could not be made
    accepted_s: tuple[float, ...]  # when a person has said that what lasts is normal
    heard_s: float  # after the calibration
    learned_s: float
    cost: Cost


def measure_learning(job: LearningJob) -> LearningResult:
    """Calibrate on the first half hour of a machine, let it work for weeks, and listen."""
    calendar, site = job.calendar, Site(job.seed, job.calendar, job.wear_db_per_day)
    with tempfile.TemporaryDirectory(prefix="auscult-") as name:
        folder = Path(name)
        bundle = calibrated(site, job.settings, folder)
        ears: dict[str, Ears] = {
            STATIC: Alarms(Model.load(bundle), RATE_HZ, job.promises),
            LEARNING: (alone := LearningEars(bundle, RATE_HZ, job.promises, folder / LEARNING, LEARN_DAYS)),
            PERSON: (person := LearningEars(bundle, RATE_HZ, job.promises, folder / PERSON, LEARN_DAYS, has_person=True)),
        }
        marks = dict.fromkeys((DOOR, SPEECH), MARKS)
        clocks = dict.fromkeys(ARMS, 0.0)
        begun_s = time.process_time() - time.thread_time()
        scenes = []
        what = happenings(job.seed, calendar, job.days, job.after_h, job.rates)
        random = np.random.default_rng([job.seed, 0x4A9A])
        for number in range(math.ceil(calendar.real_s / SCENE_S), int(calendar.heard_s(24.0 * job.days) / SCENE_S)):
            happening = what.get(number)
            person.sounds.clear()
            scenes.append(_scene(site, ears, happening, job.promises, random, clocks))
            if happening is not None and marks.get(happening.kind) and scenes[-1].heard[PERSON].told[0] and person.sounds:
                person.mark(person.sounds)
                marks[happening.kind] -= 1
        report = alone.report
        for one in (alone, person):
            one.close()
        heard_s = ears[STATIC].heard_s
        cost = Cost(
            static_ms=1000.0 * clocks[STATIC] / heard_s,
            learning_ms=1000.0 * alone.listener_s / heard_s,
            overhearing_ms=1000.0 * alone.learning_s / heard_s,
            writer_ms=1000.0 * (time.process_time() - time.thread_time() - begun_s) / heard_s / 2,  # of two
            fit_peak_mb=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6,
            stored_bytes=report.stored_bytes,
            written_bytes=report.written_bytes,
        )
        versions = {LEARNING: tuple(alone.versions), PERSON: tuple(person.versions)}
        failures = {LEARNING: tuple(alone.failures), PERSON: tuple(person.failures)}
        return LearningResult(job.seed, tuple(scenes), versions, failures, tuple(person.accepted_s), heard_s, report.learned_s, cost)


def calibrated(site: Site, settings: CalibrationSettings, folder: Path) -> Path:
    """Make a bundle of the beginning."""
    recordings = [folder / f"{number:02}.flac" for number in range(round(site.calendar.real_s / RECORDING_S))]
    for path in recordings:
        soundfile.write(path, site.render(RECORDING_S), RATE_HZ, subtype="PCM_16")
    bundle = folder / "static.auscult"
    calibrate(recordings, bundle, settings)
    for path in recordings:
        path.unlink()
    return bundle


def _scene(
    site: Site,
    ears: Mapping[str, Ears],
    happening: Happening | None,
    promises: Sequence[float],
    random: np.random.Generator,
    clocks: dict[str, float],
) -> Scene:
    hours = site.hours
    samples, onset_s = site.render(SCENE_S), None
    if happening is not None:
        samples, onset_s = happen(happening, samples, site, random)
    heard = {}
    for arm, own in ears.items():
        begun_s = time.thread_time()
        heard[arm] = _hear(own, samples, onset_s, promises)
        clocks[arm] += time.thread_time() - begun_s
    what = happening or Happening("")
    return Scene(hours, site.state, what.kind, what.size_db, heard)


def _hear(ears: Ears, samples: NDArray[np.float32], onset_s: float | None, promises: Sequence[float]) -> Heard:
    start_s, windows, anomalous = ears.heard_s, ears.windows, ears.anomalous
    opened, told, hidden = dict.fromkeys(promises, 0), dict.fromkeys(promises, False), dict.fromkeys(promises, False)
    step = round((PUSH_S if onset_s is None else FINE_PUSH_S) * RATE_HZ)
    for first in range(0, len(samples), step):
        if onset_s is not None and first / RATE_HZ <= onset_s:
            hidden = {promise: ears.is_open(promise) for promise in promises}
        for event in ears.push(samples[first : first + step]):
            if onset_s is not None and 0.0 < event.heard_s - start_s - onset_s <= TOLD_S and not told[event.false_alarms_per_week]:
                told[event.false_alarms_per_week] = True
            else:
                opened[event.false_alarms_per_week] += 1
    return Heard(tuple(opened.values()), tuple(told.values()), tuple(hidden.values()), ears.windows - windows, ears.anomalous - anomalous)
