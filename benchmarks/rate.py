"""How often something happens, and how sure that is: the exact Poisson interval (Garwood, "Fiducial limits for the Poisson distribution",
Biometrika 28, 1936). Nothing in three hours is a rate of 0, and up to 207 a week are possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np

from calibrate.metrics.bootstrap import CONFIDENCE, Interval
from edge.judgement.tail import SECONDS_PER_WEEK

EACH_SIDE = (1 - CONFIDENCE) / 2
HALVINGS = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` events in so many seconds, at least one of which passed."""

    count: int
    seconds: float

    @property
    def per_week(self) -> float:
        """The rate itself."""
        return self.count * SECONDS_PER_WEEK / self.seconds

    @property
    def interval(self) -> Interval:
        """Return its 95 % interval, per week."""
        weeks = self.seconds / SECONDS_PER_WEEK
        highest = 2.0 * self.count + 20.0  # beyond any upper end
        high = _falls_to(EACH_SIDE, lambda mean: _at_most(self.count, mean), highest)
        low = _falls_to(1 - EACH_SIDE, lambda mean: _at_most(self.count - 1, mean), highest) if self.count else 0.0
        return Interval(low / weeks, high / weeks)


def _at_most(count: int, mean: float) -> float:
    """Probability of so many events or fewer, when `mean` are expected."""
    if mean <= 0:
        return 1.0
    return float(np.sum([exp(number * log(mean) - mean - lgamma(number + 1)) for number in range(count + 1)]))


def _falls_to(value: float, function: Callable[[float], float], highest: float) -> float:
    """Where in 0 .. `highest` a falling function has a value, by halving."""
    low, high = 0.0, highest
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if function(middle) > value else (low, middle)
    return low
