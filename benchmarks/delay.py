"""How soon are faults reported? Faults with a known onset in the sound of a machine that goes on, and when an event was opened for each.

A fault is as loud against the machine as in the demo: an ear would notice it without looking for it. Tone and bearing last 10 s, a knock is
over at once. The delay counts from the onset to the moment at which subscribers would be told: what the pipeline needs to be sure (the
features' lag, the next window, the half second that an event has to last) is in it, the time that computing takes is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.alarms import Alarms
from benchmarks.ordinary_changes import band_power
from export.synthesis import Fault, RotatingMachine, bearing_fault, inject, knock_fault, tone_fault
from export.synthesis.level import amplitude, level_dbfs

Report = Callable[[float], None]  # of seconds of sound heard

KINDS = ("knock", "tone", "bearing")
SCENE_S = 45.0  # for each fault: by its end the event is closed, or it would hide the next
EARLIEST_S, LATEST_S = 4.0, 8.0  # of a scene, for the onset
TOLD_S = 25.0  # after the onset: 10 s of fault, 10 s of windows that hold it, and some
LASTING_S = 10.0
PUSH_S = 0.1  # how finely delays are known
ABOVE_DB = 9.0  # tone and bearing, above what the machine has in their band
KNOCK_CREST = 14.0  # peak of a knock, by the machine's RMS
LOUDEST_KNOCK = 0.7
TONE_HZ = (400.0, 8000.0)
RESONANCE_HZ = (2500.0, 7000.0)
DEFECT_ORDER = 3.57  # impacts per turn: the outer race of a common 8-ball bearing


@dataclass(frozen=True, slots=True)
class Delays:
    """What became of the faults of one kind, after one calibration and under one promise."""

    minutes: int  # of calibration
    promised_per_week: float
    kind: str
    delays_s: tuple[float, ...]  # of those that were told
    missed: int
    hidden: int  # an event was open already: nobody can say

    def quantile_s(self, level: float) -> float | None:
        """The longest delay of this fraction of the reported faults; None if there were none."""
        return float(np.quantile(self.delays_s, level)) if self.delays_s else None


def measure_delays(
    source: RotatingMachine,
    alarms: Mapping[int, Alarms],
    promises: Sequence[float],
    faults: int,
    seed: int,
    report: Report = lambda seconds: None,
) -> list[Delays]:
    """Let the machine continue with `faults` faults of each kind in turn, each different from the one before."""
    random = np.random.default_rng([seed, 0xDE1A])
    told: dict[tuple[int, float, str], list[float | None]] = {}
    hidden: dict[tuple[int, float, str], int] = {}
    for kind in KINDS * faults:
        scene = source.render(SCENE_S)
        onset_s = float(random.uniform(EARLIEST_S, LATEST_S))
        fault = make_fault(kind, scene, source, random)
        samples = inject(scene, fault.heard_through(source.colour), onset_s)
        for minutes, ears in alarms.items():
            open_before, delays = _hear(ears, samples, onset_s, source.sample_rate_hz, promises)
            for promise in promises:
                key = (minutes, promise, kind)
                hidden[key] = hidden.get(key, 0) + (promise in open_before)
                if promise not in open_before:
                    told.setdefault(key, []).append(delays.get(promise))
            report(SCENE_S)
    return [
        Delays(
            minutes=minutes,
            promised_per_week=promise,
            kind=kind,
            delays_s=tuple(delay for delay in told.get((minutes, promise, kind), []) if delay is not None),
            missed=told.get((minutes, promise, kind), []).count(None),
            hidden=hidden.get((minutes, promise, kind), 0),
        )
        for minutes in alarms
        for promise in promises
        for kind in KINDS
        if faults
    ]


def _hear(
    ears: Alarms, samples: NDArray[np.float32], onset_s: float, rate_hz: int, promises: Sequence[float]
) -> tuple[set[float], dict[float, float]]:
    """Play one scene; return the promises under which an event was open at the onset, and the delay under those that opened one for it."""
    start_s = ears.heard_s
    before: set[float] = set()
    delays: dict[float, float] = {}
    step = round(PUSH_S * rate_hz)
    for first in range(0, len(samples), step):
        if first / rate_hz <= onset_s:
            before = {promise for promise in promises if ears.is_open(promise)}
        for opened in ears.push(samples[first : first + step]):
            delay_s = opened.heard_s - start_s - onset_s
            if 0.0 < delay_s <= TOLD_S:
                delays.setdefault(opened.false_alarms_per_week, delay_s)
    return before, delays


def make_fault(kind: str, scene: NDArray[np.float32], source: RotatingMachine, random: np.random.Generator) -> Fault:
    """A fault of a kind, somewhere in the spectrum."""
    rate_hz, seed = source.sample_rate_hz, int(random.integers(1 << 31))
    if kind == "knock":
        return knock_fault(rate_hz, seed, peak=min(KNOCK_CREST * amplitude(level_dbfs(scene)), LOUDEST_KNOCK))
    if kind == "tone":
        tone_hz = _between(TONE_HZ, random)
        return tone_fault(rate_hz, seed, LASTING_S, tone_hz, _level_dbfs(scene, rate_hz, (0.9 * tone_hz, 1.1 * tone_hz)) + ABOVE_DB)
    resonance_hz, shaft_hz = _between(RESONANCE_HZ, random), source.design.shaft_hz
    level = _level_dbfs(scene, rate_hz, (0.7 * resonance_hz, 1.4 * resonance_hz)) + ABOVE_DB
    return bearing_fault(rate_hz, seed, LASTING_S, DEFECT_ORDER * shaft_hz, resonance_hz, level, shaft_hz)


def _between(span_hz: tuple[float, float], random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(*np.log(span_hz))))


def _level_dbfs(samples: NDArray[np.float32], rate_hz: int, band_hz: tuple[float, float]) -> float:
    return 10.0 * float(np.log10(band_power(samples, rate_hz, band_hz)))
