"""What happens beside a machine that works for weeks: doors, speech, and faults of known sizes at known times.

Each happening has a scene of its own, which it begins early, so that an event that was opened for it can be told from all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip
from benchmarks.delay import EARLIEST_S, LATEST_S, SCENE_S, make_fault
from benchmarks.delay import KINDS as FAULTS
from benchmarks.injection import Injection, audible_part
from benchmarks.learning_site import Calendar, Site, is_light, is_working
from benchmarks.ordinary_changes import DOOR_DB, SPEECH_DB, SPEECH_S, slam, within_full_scale
from benchmarks.speech import speech
from export.synthesis import inject
from export.synthesis.level import amplitude

Float32 = NDArray[np.float32]

DOOR, SPEECH = "door", "speech"
SIZES_DB = (-12.0, -6.0, 0.0)  # against a fault that an ear would notice without looking for it


@dataclass(frozen=True, slots=True)
class Happening:
    """What happens in one scene."""

    kind: str
    size_db: float = 0.0

    @property
    def is_fault(self) -> bool:
        """Whether it ought to be told."""
        return self.kind in FAULTS


@dataclass(frozen=True, slots=True)
class Rates:
    """How much of it there is."""

    doors_per_day: float = 2.0
    speeches_per_day: float = 2.0
    repeats: int = 4  # of each fault at each size, from the third day to the end


def happenings(seed: int, calendar: Calendar, days: float, faults_from_h: float, rates: Rates) -> Mapping[int, Happening]:
    """What happens in which scene, counted from the start; nothing in the first half hour, and while the machine stands still."""
    random = np.random.default_rng([seed, 0x4A99])
    scenes = np.arange(int(calendar.heard_s(24.0 * days) / SCENE_S))
    begins_s = scenes * SCENE_S
    hours = np.array([calendar.hours(begin) for begin in begins_s])
    ends = np.array([calendar.hours(begin + SCENE_S) for begin in begins_s])
    works = np.array([is_working(begin) and is_working(end) for begin, end in zip(hours, ends, strict=True)], bool)
    works &= begins_s >= calendar.real_s
    told: dict[int, Happening] = {}
    faults = [Happening(kind, size) for kind in FAULTS for size in SIZES_DB for _ in range(rates.repeats)]
    told |= _drawn(scenes[works & (hours >= faults_from_h)], faults, told, random)
    visited = works & np.array([is_light(begin) for begin in hours], bool)
    people = [Happening(DOOR)] * round(rates.doors_per_day * days) + [Happening(SPEECH)] * round(rates.speeches_per_day * days)
    return told | _drawn(scenes[visited], people, told, random)


def happen(happening: Happening, scene: Float32, site: Site, random: np.random.Generator) -> tuple[Float32, float]:
    """Put it into a scene, shape (samples,); return the new one, and the second at which it begins."""
    onset_s = float(random.uniform(EARLIEST_S, LATEST_S))
    rate_hz = site.sample_rate_hz
    if happening.is_fault:
        fault = make_fault(happening.kind, scene, site.machine, random)
        fault = replace(fault, samples=fault.samples * np.float32(amplitude(happening.size_db)))
        return inject(scene, fault.heard_through(site.machine.colour), onset_s), onset_s
    is_door = happening.kind == DOOR
    sound = slam(rate_hz, random) if is_door else speech(SPEECH_S, rate_hz, random)
    injection = Injection(audible_part(Clip(sound, rate_hz), len(scene) // 2), round(onset_s * rate_hz))
    changed = injection.into(Clip(scene, rate_hz), DOOR_DB if is_door else SPEECH_DB)
    return within_full_scale(changed.samples)[0], onset_s


def _drawn(
    scenes: NDArray[np.int64], wanted: list[Happening], taken: Mapping[int, Happening], random: np.random.Generator
) -> dict[int, Happening]:
    """Each of them in a scene of its own; what finds none is left out."""
    free = random.permutation([scene for scene in scenes if scene not in taken])
    order = random.permutation(len(wanted))
    return {int(scene): wanted[which] for scene, which in zip(free, order, strict=False)}
