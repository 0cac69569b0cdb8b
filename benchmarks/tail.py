"""What one alarm per week becomes: thresholds from little sound, against the true rate at which a noise of known law alarms.

The truth is counted, in weeks of the noise and as the daemon counts: windows above the threshold are one event until there are none for the
cooldown. What is too rare to be counted there is taken to fall off further as the last that was counted does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.noises import NOISES, STEP_S, WINDOW, Noise
from edge.judgement.event_tracker import EventSettings
from edge.judgement.tail import SECONDS_PER_WEEK
from edge.judgement.tail_fit import fit_tail, supported_false_alarms_per_week

Float64 = NDArray[np.float64]
Report = Callable[[float], None]  # of draws and weeks done

LONG_WEEKS = 20
MINUTES = (5, 15, 60, 480)
PROMISES: Mapping[str, float | None] = {"1/week": 1.0, "1/day": 7.0, "supported": None}
GRID = 120  # thresholds at which the truth is counted
FEWEST = 10  # events that make a count
EARLIER = 30.0  # times as many events: from there to the last count the slope is taken
COOLDOWN_S = EventSettings().cooldown_s
FURTHEST = 3.0  # decades: a threshold that is wrong by more is just wrong
TOO_MANY = 3.0  # times the promise
WINDOW_S = WINDOW * STEP_S


class TrueRate:
    """How often a noise alarms."""

    def __init__(self, noise: Noise, seed: int, weeks: int = LONG_WEEKS, report: Report = lambda weeks: None) -> None:
        steps = round(SECONDS_PER_WEEK / STEP_S)
        thresholds = np.zeros(0)
        counts = np.zeros(GRID)
        for week in range(weeks):
            surprise = noise(np.random.default_rng([seed, week, 0x7A]), steps)
            if not week:
                thresholds = np.quantile(surprise, 1.0 - np.geomspace(0.9, 1.0 / steps, GRID))  # ascending
                thresholds[GRID // 2 :] = np.linspace(thresholds[GRID // 2], 2.0 * thresholds[-1] - thresholds[GRID // 2], GRID - GRID // 2)
            counts += _events(surprise, thresholds)
            report(1)
        counted = counts >= FEWEST
        self._thresholds = thresholds[counted]
        self._logarithms = np.log(counts[counted] / weeks)
        earlier = max(0, int(np.searchsorted(-counts[counted], -EARLIER * counts[counted][-1], side="right")) - 1)
        self._slope = (self._logarithms[-1] - self._logarithms[earlier]) / (self._thresholds[-1] - self._thresholds[earlier])

    def per_week(self, threshold: float) -> float:
        """Alarms per week at a threshold."""
        beyond = max(0.0, threshold - float(self._thresholds[-1]))
        return float(np.exp(np.interp(threshold, self._thresholds, self._logarithms) + beyond * self._slope))


def _events(surprise: Float64, thresholds: Float64) -> Float64:
    """How many events each of the ascending thresholds gives, shape = (thresholds,)."""
    counts = np.zeros(len(thresholds))
    above = np.arange(len(surprise))
    for number, threshold in enumerate(thresholds):
        above = above[surprise[above] > threshold]
        counts[number] = np.count_nonzero(np.diff(above) * STEP_S > COOLDOWN_S) + bool(len(above))
    return counts


@dataclass(frozen=True, slots=True)
class Given:
    """Decades from the promised rate to the true rate, one for each draw, shape = (draws,); at most three either way."""

    noise: str
    minutes: int
    promise: str
    decades: Float64

    @property
    def typical(self) -> float:
        """The geometric mean of given over promised, in decades."""
        return float(self.decades.mean())

    @property
    def too_many(self) -> float:
        """Share of draws with more than three times the promise."""
        return float((self.decades > np.log10(TOO_MANY)).mean())

    def quantile(self, level: float) -> float:
        """Of the decades."""
        return float(np.quantile(self.decades, level))


def measure_tails(
    draws: int, seed: int, *, minutes: Sequence[int] = MINUTES, weeks: int = LONG_WEEKS, report: Report = lambda done: None
) -> list[Given]:
    """Fit `draws` tails of each noise and length, and hold them against the truth."""
    given = []
    for name, noise in NOISES.items():
        truth = TrueRate(noise, seed, weeks, report)
        for length in minutes:
            tails = []
            for draw in range(draws):
                random = np.random.default_rng([seed, draw, length])
                tails.append(fit_tail([noise(random, round((60.0 * length - WINDOW_S) / STEP_S))], STEP_S))
                report(1)
            for promise, per_week in PROMISES.items():
                asked = per_week or supported_false_alarms_per_week(60.0 * length)
                decades = np.log10([max(truth.per_week(tail.surprise_at(asked)) / asked, 1e-30) for tail in tails])
                given.append(Given(name, length, promise, np.clip(decades, -FURTHEST, FURTHEST)))
    return given
