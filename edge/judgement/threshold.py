"""The threshold, and how rare a surprise is: turns surprise into a score and a p-value."""

from __future__ import annotations

from dataclasses import dataclass

from edge.judgement.tail import SECONDS_PER_WEEK, Tail

SURE_SHARE = 0.1  # of the false alarms that were promised: what looks between the windows may add to them, at most


@dataclass(frozen=True, slots=True)
class Moved:
    """How a node has moved the threshold of a bundle: to `factor` times its own, by the tail of recent scores."""

    factor: float
    tail: Tail


@dataclass(frozen=True, slots=True)
class Threshold:
    """The surprise of score 1.0, and the tail of normal sound that it was chosen by.

    They change together. A score is surprise in units of the alarm, and the heads are shares of the score; the p-value is by the tail. A
    threshold that was moved by what a node has heard has the tail of that sound: with the bundle's own, an alarm that is to come once a
    week would be told with the p-value of once in years, or of once an hour.
    """

    surprise: float  # of the alarm
    tail: Tail

    def moved(self, moved: Moved | None) -> Threshold:
        """The bundle's own threshold, moved."""
        return self if moved is None else Threshold(self.surprise * moved.factor, moved.tail)

    def score(self, surprise: float) -> float:
        """Surprise in units of the alarm."""
        return surprise / self.surprise

    def sure_surprise(self, looks: float) -> float:
        """The surprise from which on one look at the sound is enough.

        There are so many `looks` between windows for every window. Were each of them a chance of its own, and not another look at nearly
        the same sound, normal sound would reach this surprise in `SURE_SHARE` times as many of them as there are false alarms.
        """
        rate = SURE_SHARE / max(1.0, looks) * self.tail.alarms_per_s(self.surprise)
        return max(self.surprise, self.tail.surprise_at(rate * SECONDS_PER_WEEK))

    def p_value(self, surprise: float, seconds: float) -> float:
        """Probability that so many seconds of normal sound hold a peak above `surprise`."""
        return self.tail.p_value(surprise, seconds)
