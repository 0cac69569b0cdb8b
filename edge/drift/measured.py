"""What is told of a history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.drift.assessment import Assessment, assess
from edge.drift.drift_report import BandDrift, DriftReport, Slope
from edge.drift.forecast import BandSlope, PresentWindow, weeks_to_alarm
from edge.drift.history import DAYS, History
from edge.drift.hour import HOURS_A_DAY, Hour
from edge.drift.panel import BROAD, group
from edge.drift.trend import FEWEST_DAYS, trend
from edge.model import Model

Float64 = NDArray[np.float64]

WEEK_DAYS = 7.0
GROUPS = 6


def measure(history: History, model: Model | None, present: Sequence[PresentWindow], t_s: float) -> DriftReport:
    """Look at a history after its last hour. `present` windows of it, judged by the `model`, tell when the threshold is reached."""
    found, moved = assess(history), history.moved_db()
    moved = np.full(len(found.slopes), np.nan) if moved is None else moved
    is_known = found.days > 0
    slopes = [_slope(found, moved, place) for place in range(len(found.slopes))]
    bands = _bands(history, found, slopes)
    weeks = None
    if model is not None and bands:
        weeks = _weeks(model, present, bands)
    return DriftReport(
        state="drifting" if found.told.any() else "steady" if is_known else "waiting",
        reason=None if is_known else f"{history.days:.1f} days heard; slopes need at least {FEWEST_DAYS} days with comparable hours",
        t_s=t_s,
        days=history.days,
        slope_days=found.days,
        level=slopes[0],
        tilt=slopes[1],
        is_level_told=bool(found.told[0]),
        is_tilt_told=bool(found.told[1]),
        bands=bands,
        heads=tuple(_heads(history.hours)),
        weeks_to_alarm=weeks,
    )


def _slope(found: Assessment, moved: Float64, place: int) -> Slope:
    known = None if np.isnan(moved[place]) else float(moved[place])
    if not found.days:
        return Slope(known)
    slope, half = WEEK_DAYS * float(found.slopes[place]), WEEK_DAYS * float(found.half_widths[place])
    return Slope(known, slope, slope - half, slope + half)


def _bands(history: History, found: Assessment, slopes: Sequence[Slope]) -> tuple[BandDrift, ...]:
    """Those that are told; neighbours that move the same way are one."""
    told: list[list[int]] = []
    for place in np.flatnonzero(found.told[BROAD:]).tolist():
        same = told and place == told[-1][-1] + 1 and found.slopes[BROAD + place] * found.slopes[BROAD + told[-1][-1]] > 0
        if same:
            told[-1].append(place)
        else:
            told.append([place])
    return tuple(
        BandDrift(
            history.edges_hz[places[0]][0],
            history.edges_hz[places[-1]][1],
            slopes[BROAD + max(places, key=lambda place: abs(found.slopes[BROAD + place]))],
        )
        for places in told
    )


def _weeks(model: Model, present: Sequence[PresentWindow], bands: Sequence[BandDrift]) -> tuple[float, float, float] | None:
    moving: list[BandSlope] = [((one.f_lo_hz, one.f_hi_hz), one.slope.per_week) for one in bands if one.slope.per_week]
    weeks = weeks_to_alarm(model, present, moving)
    if weeks is None:
        return None
    fastest = max(bands, key=lambda one: abs(one.slope.per_week or 0.0)).slope
    slope, low, high = (abs(value or 0.0) for value in (fastest.per_week, fastest.low, fastest.high))
    slowest, quickest = min(low, high), max(low, high)
    if fastest.low is None or fastest.high is None or fastest.low * fastest.high <= 0.0:
        return None
    return weeks, weeks * slope / quickest, weeks * slope / slowest


def _heads(hours: Sequence[Hour]) -> list[tuple[str, Slope]]:
    """Slopes of the score and of its parts, of the hours that the present bundle has judged."""
    own = [hour for hour in hours if hour.bundle == hours[-1].bundle]
    names = [name for name in own[-1].scores if all(name in hour.scores for hour in own)]
    sums = np.zeros((DAYS, GROUPS, len(names)))
    counts = np.zeros((DAYS, GROUPS))
    for hour in own:
        day = (own[-1].at - hour.at) // HOURS_A_DAY
        sums[day, group(hour.at)] += [hour.scores[name] for name in names]
        counts[day, group(hour.at)] += 1
    means = sums / np.maximum(counts, 1.0)[:, :, None]
    found = trend(means, counts, share=False) if names else None
    if found is None:
        return [(name, Slope()) for name in names]
    halves = found.half_width(0.95)
    told = []
    for place, name in enumerate(names):
        slope, half = WEEK_DAYS * float(found.slopes[place]), WEEK_DAYS * float(halves[place])
        told.append((name, Slope(None, slope, slope - half, slope + half)))
    return told
