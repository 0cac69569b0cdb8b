"""The tail of normal sound: a generalised Pareto fitted to declustered out-of-fold peaks (Coles 2001, sections 4.3 and 5.3)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.judgement.tail import SECONDS_PER_WEEK, Tail

Float64 = NDArray[np.float64]

LOWEST_ONSET_QUANTILE = 0.9
# The Pareto holds far out only, so the onset rises with the length of the recordings, until so many steps are left above it. With a
# fixed quantile a week of exponential noise gave 30 times fewer alarms than were asked for.
STEPS_ABOVE_ONSET = 500
CLUSTER_S = 2.0  # peaks closer than this are one
# Few peaks say little about the shape, which decides how far the threshold must be moved for rare alarms. So the estimate
# is drawn towards a slightly heavy tail, with the weight of 40 peaks.
PRIOR_SHAPE = 0.1
PRIOR_PEAKS = 40
LARGEST_SHAPE = 0.5
RULE_OF_THREE = 3.0


def fit_tail(series: list[Float64], step_s: float) -> Tail:
    """Fit the tail of normal surprise.

    Parameters
    ----------
    series
        One array per recording, each shape = (steps,), out-of-fold surprise every `step_s` seconds.
    """
    everything = np.concatenate(series)
    onset = float(np.quantile(everything, max(LOWEST_ONSET_QUANTILE, 1.0 - STEPS_ABOVE_ONSET / len(everything))))
    peaks = np.sort(np.concatenate([_cluster_peaks(one, onset, CLUSTER_S / step_s) for one in series]))
    excess = peaks - onset  # (peaks,) sorted
    seconds = len(everything) * step_s
    if not len(excess) or excess[-1] <= 0:  # a machine that never changes at all
        return Tail(onset, 1.0 / seconds, max(1e-3, float(everything.std())), PRIOR_SHAPE)
    weight = len(excess) / (len(excess) + PRIOR_PEAKS)
    shape = float(np.clip(weight * _pwm_shape(excess) + (1 - weight) * PRIOR_SHAPE, 0.0, LARGEST_SHAPE))
    scale = float(excess.mean()) * (1 - shape)  # keeps the mean of the excess
    return Tail(onset, len(excess) / seconds, scale, shape)


def supported_false_alarms_per_week(seconds: float) -> float:
    """The rate that so much normal sound can vouch for without extrapolation.

    No alarm in all of it leaves, with 95 % confidence, at most three in as much again (the rule of three, Hanley and Lippman-Hand 1983).
    """
    return RULE_OF_THREE * SECONDS_PER_WEEK / seconds


def _cluster_peaks(series: Float64, onset: float, gap_steps: float) -> Float64:
    """The highest value of each run above `onset`; runs less than `gap_steps` apart are one."""
    above = np.flatnonzero(series > onset)
    if not len(above):
        return np.zeros(0)
    runs = np.split(above, np.flatnonzero(np.diff(above) > gap_steps) + 1)
    return np.array([series[run].max() for run in runs])


def _pwm_shape(excess: Float64) -> float:
    """Shape of the generalised Pareto by probability-weighted moments (Hosking and Wallis 1987), of sorted excesses."""
    count = len(excess)
    if count < 2:
        return PRIOR_SHAPE
    mean = float(excess.mean())
    weighted = float((excess * np.arange(count - 1, -1, -1)).sum() / (count * (count - 1)))  # E[X (1 - F(X))]
    denominator = mean - 2 * weighted
    return 2.0 - mean / denominator if denominator > 0 else -math.inf  # all equal: no tail at all
