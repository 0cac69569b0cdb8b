"""How rare is a surprise? The tail of normal sound, as a generalised Pareto over peaks (Coles 2001, chapter 4)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

SECONDS_PER_WEEK = 7 * 24 * 3600.0
# A tail of negative shape ends somewhere, and few peaks cannot show where. Where it is this much rarer than the onset it goes on as an
# exponential, so that nothing is impossible and more surprise stays rarer.
TRUSTED = 1e-9


@dataclass(frozen=True, slots=True)
class Tail:
    """Peaks above `onset` come `rate_per_s` times a second; their excess is generalised Pareto with `scale` and `shape`."""

    onset: float
    rate_per_s: float
    scale: float
    shape: float  # 0 is exponential; above 0 the tail is heavier, below 0 lighter

    def check(self) -> None:
        """Raise ValueError when this is no tail at all."""
        finite = all(map(math.isfinite, (self.onset, self.rate_per_s, self.scale, self.shape)))
        if not (finite and self.rate_per_s > 0 and self.scale > 0 and self.shape > -1):
            raise ValueError(f"a tail of scale {self.scale:g}, shape {self.shape:g} and {self.rate_per_s:g} peaks a second")

    def alarms_per_s(self, surprise: float) -> float:
        """Expected peaks of normal sound above `surprise`, per second; below the onset, where nothing was fitted, a rough continuation."""
        excess = (surprise - self.onset) / self.scale
        if excess <= 0:
            return self.rate_per_s * math.exp(min(-excess, 100.0))
        return self.rate_per_s * math.exp(-self._rarity(excess))

    def surprise_at(self, false_alarms_per_week: float) -> float:
        """The surprise that normal sound exceeds so many times a week, at least `onset`."""
        rarity = max(0.0, math.log(self.rate_per_s * SECONDS_PER_WEEK / false_alarms_per_week))
        return self.onset + self.scale * self._excess(rarity)

    def p_value(self, surprise: float, seconds: float) -> float:
        """Probability that so many seconds of normal sound hold a peak above `surprise`."""
        return -math.expm1(-self.alarms_per_s(surprise) * seconds)

    def parameters(self) -> dict[str, float]:
        """As a bundle's manifest keeps it."""
        return asdict(self)

    def _excess(self, rarity: float) -> float:
        """Excess, in units of the scale, of which peaks are e**rarity times rarer than those above the onset."""
        if self.shape == 0.0:
            return rarity
        trusted = min(rarity, -math.log(TRUSTED)) if self.shape < 0.0 else rarity
        return math.expm1(self.shape * trusted) / self.shape + rarity - trusted

    def _rarity(self, excess: float) -> float:
        """Logarithm of how many times rarer peaks of an excess, in units of the scale, are than those above the onset."""
        if self.shape == 0.0:
            return excess
        if self.shape < 0.0 and excess > (last := self._excess(-math.log(TRUSTED))):
            return -math.log(TRUSTED) + excess - last
        return math.log1p(self.shape * excess) / self.shape
