"""A measured figure: the median of repeats, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from calibrate.metrics.bootstrap import CONFIDENCE


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over the repeats."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """The median of repeats with its 95 % interval, whatever their distribution; up to eight repeats give the smallest and largest.

        The interval lies between two order statistics (the sign test; Conover, "Practical Nonparametric Statistics", section 3.2).
        """
        ordered = sorted(values)
        cut = _cut(len(ordered))
        return cls(median(ordered), ordered[cut], ordered[-1 - cut])


def _cut(count: int) -> int:
    """How many of so many values lie outside the interval, on either side."""
    cut, chance = 0, 2.0**-count  # that the median lies below the lowest value that stays
    while 2.0 * (chance := chance + math.comb(count, cut + 1) * 2.0**-count) <= 1.0 - CONFIDENCE:
        cut += 1
    return cut
