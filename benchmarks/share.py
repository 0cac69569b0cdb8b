"""A share of recordings, and how sure it is.

The interval is Wilson's (Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
Statistical Association 22, 1927). A bootstrap of five recordings without an alarm has nothing but zeros to draw from and would call the
share certain; Wilson's interval for 0 of 5 ends at 0.43.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from calibrate.metrics.bootstrap import CONFIDENCE, Interval

Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


@dataclass(frozen=True, slots=True)
class Share:
    """`count` recordings of `of`."""

    count: int
    of: int

    @property
    def fraction(self) -> float | None:
        """The share itself; None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> Interval | None:
        """Return its 95 % interval; None of nothing."""
        if not self.of:
            return None
        spread = Z * sqrt(self.count * (self.of - self.count) / self.of + Z * Z / 4)
        middle, total = self.count + Z * Z / 2, self.of + Z * Z
        return Interval(max(0.0, (middle - spread) / total), min(1.0, (middle + spread) / total))
