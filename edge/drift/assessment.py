"""Which bands drift: told when a trend is sure and large enough, and has been so for hours.

It is looked for in the last week, in two and in four, for wear begins at any time; and in all regimes together and in each alone, for what
wears is not heard when the machine stands. A trend is sure when its slope is so many standard errors from zero as chance gives once in
`1 / CHANCE` looks at all bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.drift.history import DAYS, History
from edge.drift.hour import HOURS_A_DAY
from edge.drift.panel import BROAD, Panel
from edge.drift.trend import Trend, student_quantile, trend

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

SPANS_DAYS = (7, 14, DAYS)
CHANCE = 0.005
LEAST_DB = 0.7  # of a band, over the days of a trend
LEAST_BROAD_DB = 1.5  # of level and tilt, which weather moves
TOLD_AFTER = 6  # hours that it seems to be so
FORGOTTEN_AFTER = 24  # hours that it does not, when it is told


@dataclass(frozen=True, slots=True)
class Assessment:
    """Level and tilt come first, then the bands beside them: each (`BROAD` + band,)."""

    days: int  # that the slopes are of; 0 while there are too few
    slopes: Float64  # dB per day
    half_widths: Float64  # of their 95 % intervals
    told: Bool


def assess(history: History) -> Assessment:
    """Look at a history after its last hour, and keep in it for how long each band has seemed to drift."""
    series = BROAD + len(history.edges_hz)
    told = np.array(history.told or [False] * series)
    trends = list(_trends(history))
    seem = np.stack([_seems(one) for one in trends]) if trends else np.zeros((0, series), np.bool_)
    step = np.where(seem.any(axis=0), 1.0, np.where(told, -TOLD_AFTER / FORGOTTEN_AFTER, -1.0))
    seeming = np.clip(np.array(history.seeming or [0.0] * series) + step, 0.0, TOLD_AFTER)
    told = (seeming >= TOLD_AFTER) | (told & (seeming > 0.0))
    history.seeming, history.told = seeming.tolist(), told.tolist()
    if not trends:
        return Assessment(0, np.zeros(series), np.zeros(series), told)
    # What is told is told by the surest trend; of the others, by the one of the most days.
    units = np.stack([np.abs(one.units) for one in trends])
    chosen = np.where(told, units.argmax(axis=0), int(np.argmax([one.days for one in trends])))
    every = np.arange(series)
    return Assessment(
        days=max(trends[place].days for place in np.unique(chosen[told] if told.any() else chosen)),
        slopes=np.stack([one.slopes for one in trends])[chosen, every],
        half_widths=np.stack([one.half_width(0.95) for one in trends])[chosen, every],
        told=told,
    )


def _trends(history: History) -> Iterator[Trend]:
    """Of each span, and in it of all regimes and of each."""
    reach = history.hours[-1].at - history.hours[0].at
    panel = Panel.of(history.hours, DAYS)
    every = panel.apart()
    regimes = np.array([regime for regime, _ in panel.cells])
    parts = [np.ones(len(regimes), np.bool_), *(regimes == regime for regime in np.unique(regimes))]
    for place, days in enumerate(SPANS_DAYS):
        if place and reach < SPANS_DAYS[place - 1] * HOURS_A_DAY:
            return
        for part in parts if len(parts) > 2 else parts[:1]:
            one = _trend(every[:days, part], panel.weights[:days, part])
            if one is not None:
                yield one


def _trend(apart: Float64, weights: Float64) -> Trend | None:
    broad, bands = trend(apart[..., :BROAD], weights, share=False), trend(apart[..., BROAD:], weights, share=True)
    if broad is None or bands is None:
        return None
    # The errors of level and tilt in the freedom of the bands, so that one quantile is for all.
    sure = 1.0 - CHANCE / 2.0
    wider = student_quantile(sure, broad.freedom) / student_quantile(sure, bands.freedom)
    return replace(
        bands,
        slopes=np.concatenate([broad.slopes, bands.slopes]),
        errors=np.concatenate([broad.errors * wider, bands.errors]),
    )


def _seems(one: Trend) -> Bool:
    sure = student_quantile(1.0 - CHANCE / (2.0 * len(one.slopes)), one.freedom)
    least = np.where(np.arange(len(one.slopes)) < BROAD, LEAST_BROAD_DB, LEAST_DB)
    seems: Bool = (np.abs(one.units) >= sure) & (np.abs(one.slopes) * one.span_days >= least)
    return seems
