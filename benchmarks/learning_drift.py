"""How soon slow wear is told as drift, and how often drift is told where there is none: simulated weeks through the daemon's own code."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.machine_weeks import BANDS, MachineWeeks, Wear
from edge.drift.assessment import assess
from edge.drift.history import History
from edge.drift.hour import HOURS_A_DAY, SCORE, OpenHour
from edge.drift.panel import BROAD

Report = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of one machine."""

    seed: int
    days_to_tell: float | None  # of its band or one beside it, from the onset of wear on
    told: tuple[int, ...]  # bands; -2 is the level, -1 the tilt
    false: tuple[int, ...]  # of these, not the worn ones
    ms_per_hour: float  # that looking at a history takes


def tell(seed: int, days: int, wear: Wear | None) -> Told:
    """Let a machine run for so many days."""
    machine = MachineWeeks(seed, wear)
    history = History(edges_hz=tuple((float(band), band + 1.0) for band in range(BANDS)), began=0)
    first: dict[int, float] = {}
    spent_s = 0.0
    for at, levels in enumerate(machine.hours(days * HOURS_A_DAY)):
        if history.add(OpenHour(at, "", list(levels), [{SCORE: 0.0}])) is None:
            continue
        began_s = time.process_time()
        found = assess(history)
        spent_s += time.process_time() - began_s
        for place in np.flatnonzero(found.told).tolist():
            first.setdefault(place - BROAD, (at + 1) / HOURS_A_DAY)
    own = [day for band, day in first.items() if wear is not None and band >= 0 and abs(band - machine.band) <= 1]
    false = tuple(band for band in sorted(first) if wear is None or band < 0 or abs(band - machine.band) > 1)
    to_tell = min(own) - wear.from_day if wear is not None and own else None
    return Told(seed, to_tell, tuple(sorted(first)), false, 1000.0 * spent_s / (days * HOURS_A_DAY))


def measure(seeds: Sequence[int], days: int, wear: Wear | None, report: Report = lambda done: None) -> list[Told]:
    """The same of machines of these seeds."""
    told = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(partial(tell, days=days, wear=wear), seeds):
            told.append(one)
            report(1)
    return told
