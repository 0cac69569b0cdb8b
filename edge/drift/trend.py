"""The slope of many series over days, of what is comparable only, and how far it may be off.

Values are compared with those of the same cell: the same regime at the same time of day. So the slope is that of a regression with an
intercept for each cell (Hirsch, Slack and Smith, 1982, compare months in this way): a stop at weekends, a night shift or a load that is run
more often moves none of it.

How far it may be off is told by what it would be without any few days in a row (the jackknife of blocks of Künsch, 1989), for days are
alike their neighbours and hours even more so. A few days tell little of one series' spread, so it is at least that of the others (Smyth,
2004, takes the two together).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

FEWEST_BLOCK, BLOCK_PART = 2, 4  # days in a row, or that part of all days
SHARED_FREEDOM = 24.0  # of the spread of all series
FEWEST_DAYS = 5
LEAST_ERROR = 1e-9


@dataclass(frozen=True, slots=True)
class Trend:
    """Slopes per day of several series."""

    days: int  # that the slopes are of
    span_days: float  # from the first to the last of them
    slopes: Float64  # (series,)
    errors: Float64  # (series,) standard errors
    freedom: float  # degrees of it

    @property
    def units(self) -> Float64:
        """Slopes in standard errors, shape = (series,)."""
        units: Float64 = self.slopes / self.errors
        return units

    def half_width(self, confidence: float) -> Float64:
        """Of an interval around the slopes, shape = (series,)."""
        width: Float64 = self.errors * student_quantile(0.5 + 0.5 * confidence, self.freedom)
        return width


def trend(values: Float64, weights: Float64, *, share: bool) -> Trend | None:
    """Fit it.

    Parameters
    ----------
    values : shape = (day, cell, series), where the first day is the latest; what has no weight is ignored
    weights : shape = (day, cell)
    share : whether the spread of a series is taken together with that of the others

    Returns
    -------
    None when there are fewer than `FEWEST_DAYS` days that can be compared.
    """
    at = -np.arange(len(values), dtype=np.float64)
    flat = np.where(weights[:, :, None] > 0, values, 0.0).reshape(-1, values.shape[2])
    lone = (weights > 0).sum(axis=0) < 2
    weights = np.where(lone, 0.0, weights)
    days = np.flatnonzero(weights.any(axis=1))
    if len(days) < FEWEST_DAYS:
        return None
    slopes = _slopes(flat, weights, at)
    block = max(FEWEST_BLOCK, len(days) // BLOCK_PART)
    blocks = []
    for place in range(len(days)):  # in a circle, so that each day is in as many
        kept = weights.copy()
        kept[days[(place + np.arange(block)) % len(days)]] = 0.0
        blocks.append(_slopes(flat, kept, at))
    without = np.stack(blocks)
    if not np.isfinite(without).all():
        return None
    freedom = len(days) - 2.0
    variance = (len(days) - block) / (block * len(days)) * np.square(without - slopes).sum(axis=0)
    if share:
        variance = np.maximum(variance, variance.mean())
        freedom = SHARED_FREEDOM
    errors = np.maximum(np.sqrt(variance), LEAST_ERROR)
    return Trend(len(days), float(days[-1] - days[0]), slopes, errors, freedom)


def student_quantile(chance: float, freedom: float) -> float:
    """Of Student's t, by Wallace's normal approximation (1959)."""
    normal = NormalDist().inv_cdf(chance) * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    return math.copysign(math.sqrt(freedom * math.expm1(normal * normal / freedom)), normal)


def _slopes(flat: Float64, weights: Float64, at: Float64) -> Float64:
    """Of values (day * cell, series); NaN where no cell has two days."""
    total = weights.sum(axis=0)
    mean = np.divide(at @ weights, total, out=np.zeros_like(total), where=total > 0)
    apart = at[:, None] - mean  # (day, cell)
    moment = weights * apart
    spread = float((moment * apart).sum())
    slopes: Float64 = moment.ravel() @ flat / spread if spread > 0 else np.full(flat.shape[1], np.nan)
    return slopes
