"""The tail of normal sound: a generalised Pareto over the peaks of out-of-fold surprise (Coles 2001, sections 4.3 and 5.3).

The promise is made of events, so peaks are as far apart as events are: the highest surprise, then the highest that is not in its event, and
so on. Of N peaks the highest 4 sqrt(N) are fitted (at most half): more of them with longer recordings, and a smaller share, for the Pareto
holds far out only. A shape estimated from so few can be anything, and decides how far the threshold is moved for rare alarms; so it is the
posterior mean under a prior, as in Coles and Dixon (1999) and Martins and Stedinger (2000). The prior is centred a little above 0: 0 is the
limit of everything that falls off like noise, and a machine that changes its load is heavier. Below 0 the tail is lighter, and has an end.

How it was chosen: on the noises of `auscult benchmark tail`, recordings of 5, 15 and 60 minutes and 8 hours, and promises of 1 alarm a
week, 1 a day and as many as the recordings support. (1) At the supported rate, at most one draw in five of any noise and length gives more
than three times the promise. (2) The geometric mean of given over promised is near 1 for rare alarms, on average over noises and lengths:
within a tenth of a decade of the best candidate. (3) Of these, the one with the least spread that leans to neither side by more than 0.15
decades over all. The optimum is flat. Tried besides: moments shrunk to a prior (as before), all windows above the onset by the weight of
their cluster, runs above the onset in place of peaks, generalised Weibull tails, a threshold for the rate that is *expected* under the
posterior (deaf: it comes from the few heavy shapes that few peaks cannot exclude), other shares of peaks and other priors. Figures:
benchmarks/PROTOCOL.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.judgement.tail import SECONDS_PER_WEEK, Tail

Float64 = NDArray[np.float64]

EVENT_S = 15.0  # a window and the cooldown: peaks closer than this are one alarm
PEAKS_PER_ROOT = 4.0
PRIOR_SHAPE = 0.05
PRIOR_DEVIATION = 0.2
# Surprise is in nats, about: normal sound falls off by e for every one.
PRIOR_SCALE = 1.0
PRIOR_SCALE_DEVIATION = 0.5  # of its logarithm
SHAPES = np.linspace(-0.6, 0.8, 57)
SCALES = 121  # on the grid of the posterior
RULE_OF_THREE = 3.0


def fit_tail(series: list[Float64], step_s: float) -> Tail:
    """Fit the tail of normal surprise.

    Parameters
    ----------
    series
        One array per recording, each shape = (steps,), out-of-fold surprise every `step_s` seconds.
    """
    peaks = np.sort(np.concatenate([find_peaks(one, round(EVENT_S / step_s)) for one in series]))[::-1]  # (peaks,)
    seconds = sum(max(len(one) * step_s, EVENT_S) for one in series)  # a recording shorter than an event stands for one
    count = max(1, min(len(peaks) // 2, int(PEAKS_PER_ROOT * math.sqrt(len(peaks)))))
    onset = float(peaks[count]) if count < len(peaks) else float(np.median(np.concatenate(series)))
    excess = peaks[:count] - onset
    if not excess.mean() > 1e-9 * abs(onset):  # a machine that never changes at all
        return Tail(onset, 1.0 / seconds, max(1e-3, float(np.concatenate(series).std())), PRIOR_SHAPE)
    scale, shape = _posterior_mean(excess)
    return Tail(onset, count / seconds, scale, shape)


def supported_false_alarms_per_week(seconds: float) -> float:
    """The rate that so much normal sound supports without extrapolation.

    No alarm in all of it leaves, with 95 % confidence, at most three in as much again (the rule of three, Hanley and Lippman-Hand 1983).
    """
    return RULE_OF_THREE * SECONDS_PER_WEEK / seconds


def seconds_to_support(false_alarms_per_week: float) -> float:
    """How much normal sound supports a rate without extrapolation."""
    return RULE_OF_THREE * SECONDS_PER_WEEK / false_alarms_per_week


def find_peaks(series: Float64, apart: int) -> Float64:
    """The highest value of (steps,), the highest that is more than `apart` steps from it, and so on; shape = (peaks,), descending."""
    silenced = np.zeros(len(series), np.bool_)
    peaks = []
    order = np.argsort(-series, kind="stable")
    for part in np.array_split(order, len(order) // 4096 + 1):
        for step in part[~silenced[part]]:
            if not silenced[step]:
                peaks.append(series[step])
                silenced[max(0, step - apart) : step + apart + 1] = True
    return np.array(peaks, np.float64)


def _posterior_mean(excess: Float64) -> tuple[float, float]:
    """Scale (its logarithm is averaged) and shape of a generalised Pareto of excesses of shape = (peaks,), on a grid.

    The priors of the shape and of the logarithm of the scale are normal.
    """
    width = 0.7 + 4.0 / math.sqrt(len(excess))  # several standard deviations of the logarithm of the scale
    plain, likely = math.log(float(excess.mean())), math.log(PRIOR_SCALE)
    scales = np.exp(
        np.linspace(min(plain - width, likely - PRIOR_SCALE_DEVIATION), max(plain + width, likely + PRIOR_SCALE_DEVIATION), SCALES)
    )
    ratios = excess / scales[:, None]  # (scale, peak)
    likelihood = np.stack([_log_density(ratios, shape).sum(axis=1) for shape in SHAPES])  # (shape, scale)
    likelihood -= len(excess) * np.log(scales)
    logarithm = likelihood - 0.5 * np.square((SHAPES[:, None] - PRIOR_SHAPE) / PRIOR_DEVIATION)
    logarithm -= 0.5 * np.square((np.log(scales) - likely) / PRIOR_SCALE_DEVIATION)
    posterior = np.exp(logarithm - logarithm.max())
    posterior /= posterior.sum()
    return math.exp(float(posterior.sum(axis=0) @ np.log(scales))), float(posterior.sum(axis=1) @ SHAPES)


def _log_density(ratios: Float64, shape: float) -> Float64:
    """Logarithm of the generalised Pareto's density at excesses in units of its scale; minus infinity beyond its end."""
    if abs(shape) < 1e-9:
        return -ratios
    inside = 1.0 + shape * ratios
    with np.errstate(divide="ignore", invalid="ignore"):
        density: Float64 = np.where(inside > 0.0, -(1.0 + 1.0 / shape) * np.log(inside), -np.inf)
    return density
