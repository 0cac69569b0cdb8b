"""A person marks doors and speech as false alarms: what of their like alarms then, what of faults, and whether the marks can be taken back.

One machine that does not change, and one bundle of its first half hour. Two listeners with this bundle hear the same scenes, and one of
them knows the marks. The doors and phrases that count are others than those that were marked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.alarms import Alarms
from benchmarks.delay import KINDS as FAULTS
from benchmarks.delay import SCENE_S, TOLD_S
from benchmarks.learning import FINE_PUSH_S, MARKS, calibrated
from benchmarks.learning_happenings import DOOR, SIZES_DB, SPEECH, Happening, happen
from benchmarks.learning_site import RATE_HZ, STILL, Calendar, Site
from calibrate.metrics.bootstrap import RESAMPLES, percentile_interval
from calibrate.settings import CalibrationSettings
from edge.errors import AuscultError
from edge.judgement.taught import EventSound
from edge.judgement.window import Window
from edge.model import Model

Float32 = NDArray[np.float32]

PROMISE = 1.0
TRIES = 20
UNDONE_SCENES = 4


@dataclass(frozen=True, slots=True)
class Told:
    """Whether an event was opened for what happened in a scene."""

    kind: str
    size_db: float
    before: bool  # by the listener that knows no marks
    after: bool


@dataclass(frozen=True, slots=True)
class Marked:
    """One machine."""

    told: tuple[Told, ...]
    undone_windows: int  # that were compared when the marks were taken back
    undone_is_same: bool


def measure_marks(seed: int, settings: CalibrationSettings, each: int, calendar: Calendar = STILL) -> Marked:
    """Mark, and count so many of each kind and size; AuscultError when doors or speech do not alarm in the first place."""
    random = np.random.default_rng([seed, 0x3A4C])
    site = Site(seed, calendar)
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        model = Model.load(calibrated(site, settings, Path(folder)))
    sounds = [sound for kind in (DOOR, SPEECH) for sound in _taught(kind, site, model, random)]
    before, after = (Alarms(model, RATE_HZ, (PROMISE,)) for _ in range(2))
    after.listener.teach(sounds)
    wanted = [Happening(kind) for kind in (DOOR, SPEECH)] + [Happening(kind, size) for kind in FAULTS for size in SIZES_DB]
    told = []
    for which in random.permutation(np.repeat(np.arange(len(wanted)), each)):
        what = wanted[which]
        samples, onset_s = happen(what, site.render(SCENE_S), site, random)
        told.append(Told(what.kind, what.size_db, *(_hears(own, samples, onset_s) for own in (before, after))))
    after.listener.teach([])
    windows: list[list[Window]] = [[], []]
    for number in range(UNDONE_SCENES):
        samples, _ = happen(Happening((DOOR, SPEECH)[number % 2]), site.render(SCENE_S), site, random)
        for own, heard in zip((before, after), windows, strict=True):
            heard += [one for one in own.listener.push(samples) if isinstance(one, Window)]
    same = [one.score == other.score and one.heads == other.heads for one, other in zip(*windows, strict=True)]
    return Marked(tuple(told), len(same), all(same))


def marks_document(marked: Sequence[Marked]) -> dict[str, Any]:
    """For the JSON: counts, and by what share they fell, with bootstrap intervals over scenes."""
    told = [one for machine in marked for one in machine.told]
    kinds = sorted({(one.kind, one.size_db) for one in told})
    return {
        "told": [_counted([one for one in told if (one.kind, one.size_db) == key], *key) for key in kinds],
        "marked": _fewer([one for one in told if one.kind not in FAULTS]),
        "faults": _fewer([one for one in told if one.kind in FAULTS]),
        "undone_windows": sum(machine.undone_windows for machine in marked),
        "undone_is_same": all(machine.undone_is_same for machine in marked),
    }


def _taught(kind: str, site: Site, model: Model, random: np.random.Generator) -> list[EventSound]:
    """What stood out in the first events of a kind."""
    alarms = Alarms(model, RATE_HZ, (PROMISE,))
    found: list[EventSound] = []
    marked = 0
    for _ in range(TRIES):
        samples, onset_s = happen(Happening(kind), site.render(SCENE_S), site, random)
        is_told = _hears(alarms, samples, onset_s)
        sounds = alarms.listener.event_sounds()
        if is_told and sounds:
            found += sounds
            marked += 1
        if marked == MARKS:
            return found
    raise AuscultError("auscult benchmark learning --mark", f"of {TRIES} times {kind}, {marked} alarmed; another --seed may do")


def _hears(alarms: Alarms, samples: Float32, onset_s: float) -> bool:
    start_s, is_told = alarms.heard_s, False
    step = round(FINE_PUSH_S * RATE_HZ)
    for first in range(0, len(samples), step):
        for event in alarms.push(samples[first : first + step]):
            is_told |= 0.0 < event.heard_s - start_s - onset_s <= TOLD_S
    return is_told


def _counted(told: Sequence[Told], kind: str, size_db: float) -> dict[str, Any]:
    before, after = (sum(getattr(one, when) for one in told) for when in ("before", "after"))
    return {"kind": kind, "size_db": size_db, "scenes": len(told), "before": before, "after": after}


def _fewer(told: Sequence[Told]) -> Mapping[str, Any]:
    counts = np.array([[one.before, one.after] for one in told], np.float64)  # (scene, before and after)
    random = np.random.default_rng(0)
    sums = [counts[random.integers(len(counts), size=len(counts))].sum(axis=0) for _ in range(RESAMPLES)]
    low, high = percentile_interval([_share(one) for one in sums])
    whole = counts.sum(axis=0)
    return {"before": int(whole[0]), "after": int(whole[1]), "fewer": {"value": _share(whole), "low": low, "high": high}}


def _share(sums: NDArray[np.float64]) -> float:
    """By what share the second is less than the first."""
    return float(1.0 - sums[1] / sums[0]) if sums[0] else 0.0
