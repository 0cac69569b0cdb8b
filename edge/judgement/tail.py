"""How rare is a surprise? The tail of normal sound, as a generalised Pareto over declustered peaks (Coles 2001, chapter 4)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

SECONDS_PER_WEEK = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Tail:
    """Peaks above `onset` come `rate_per_s` times a second; their excess is generalised Pareto with `scale` and `shape`."""

    onset: float
    rate_per_s: float
    scale: float
    shape: float  # 0 is exponential; above 0 the tail is heavier

    def check(self) -> None:
        """Raise ValueError when this is no tail at all."""
        if not (self.rate_per_s > 0 and self.scale > 0 and self.shape >= 0):
            raise ValueError(f"a tail of scale {self.scale:g}, shape {self.shape:g} and {self.rate_per_s:g} peaks a second")

    def alarms_per_s(self, surprise: float) -> float:
        """Expected peaks of normal sound above `surprise`, per second; below the onset, where nothing was fitted, a rough continuation."""
        excess = (surprise - self.onset) / self.scale
        if excess <= 0:
            return self.rate_per_s * math.exp(min(-excess, 100.0))
        return self.rate_per_s * (math.exp(-excess) if self.shape == 0 else (1 + self.shape * excess) ** (-1 / self.shape))

    def surprise_at(self, false_alarms_per_week: float) -> float:
        """The surprise that normal sound exceeds so many times a week, at least `onset`."""
        ratio = max(1.0, self.rate_per_s * SECONDS_PER_WEEK / false_alarms_per_week)
        return self.onset + self.scale * (math.log(ratio) if self.shape == 0 else (ratio**self.shape - 1) / self.shape)

    def p_value(self, surprise: float, seconds: float) -> float:
        """Probability that so many seconds of normal sound hold a peak above `surprise`."""
        return -math.expm1(-self.alarms_per_s(surprise) * seconds)

    def parameters(self) -> dict[str, float]:
        """As a bundle's manifest keeps it."""
        return asdict(self)
