"""How fast a sound card's clock runs, measured against ours."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

BUCKET_S = 10.0
BUCKETS = 60  # ten minutes: as long as a crystal's temperature stays about the same
FEWEST = 4
LARGEST = 0.5  # beyond this it is no clock


class Drift:
    """The slope of an offset between two clocks, from readings that may be late but never early.

    The least late reading of each ten seconds says where the offset is; the slope is the median over all pairs of these
    (Theil 1950, Sen 1968), so that a step, as a wrong count of lost samples makes one, does not tilt it.
    """

    def __init__(self) -> None:
        self._buckets: deque[tuple[float, float]] = deque(maxlen=BUCKETS)  # (time, least offset)
        self._least = (0.0, math.inf)
        self._bucket_ends_s: float | None = None
        self.slope: float | None = None  # seconds per second; None until it is known

    def add(self, at_s: float, offset_s: float) -> float | None:
        """At `at_s` the offset seemed to be `offset_s`, or was less. Return the least offset of ten seconds when they are over."""
        least_s = None
        if self._bucket_ends_s is None:
            self._bucket_ends_s = at_s + BUCKET_S
        elif at_s >= self._bucket_ends_s:
            least_s = self._least[1]
            self._buckets.append(self._least)
            self._least = (0.0, math.inf)
            self._bucket_ends_s = at_s + BUCKET_S
            if len(self._buckets) >= FEWEST:
                self.slope = self._median_slope()
        if offset_s < self._least[1]:
            self._least = (at_s, offset_s)
        return least_s

    def restart(self) -> None:
        """The offset means something else from now on; the slope of before stands until there is a new one."""
        self._buckets.clear()
        self._least = (0.0, math.inf)
        self._bucket_ends_s = None

    def _median_slope(self) -> float:
        at_s, offset_s = np.array(self._buckets).T  # (bucket,) each
        first, second = np.triu_indices(len(at_s), 1)
        slopes = (offset_s[second] - offset_s[first]) / (at_s[second] - at_s[first])  # (pair,)
        return float(np.clip(np.median(slopes), -LARGEST, LARGEST))
