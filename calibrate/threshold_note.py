"""A note on a threshold: how far the recordings support the rate of false alarms that was asked for."""

from __future__ import annotations

from edge.judgement.tail import SECONDS_PER_WEEK
from edge.judgement.tail_fit import seconds_to_support, supported_false_alarms_per_week

FAR_BEYOND = 50.0  # from here on the error of an extrapolated rate is about tenfold (`auscult benchmark tail`)
# Nothing is extrapolated further than this beyond what the recordings support. Minutes say nothing about a week, and a threshold that is
# invented for it is one that no fault reaches. Half an hour is enough for one alarm a week. With less than a minute even the nearest
# threshold would be a guess.
FARTHEST_BEYOND = seconds_to_support(1.0) / 1800.0
LEAST_S = 60.0


def settable_false_alarms_per_week(seconds: float, false_alarms_per_week: float) -> float:
    """The rate that a threshold is set for: the one that was asked for, or the rarest that so many seconds can be extrapolated to."""
    if seconds < LEAST_S:
        return false_alarms_per_week
    return max(false_alarms_per_week, supported_false_alarms_per_week(seconds) / FARTHEST_BEYOND)


def threshold_note(seconds: float, false_alarms_per_week: float) -> str:
    """Say plainly when the recordings are too short for the promise; empty when they are not."""
    supported = supported_false_alarms_per_week(seconds)
    if supported <= false_alarms_per_week:
        return ""
    settable = settable_false_alarms_per_week(seconds, false_alarms_per_week)
    beyond = supported / settable
    doubt = ", so there may be ten times more or fewer" if beyond >= FAR_BEYOND else ""
    asked = _rounded(false_alarms_per_week)
    instead = f" instead of {asked}, because these recordings allow no rarer ones" if settable > false_alarms_per_week else ""
    return (
        f"threshold: set for {_rounded(settable)} false alarms per week{instead}. {duration(seconds)} of recordings support "
        f"{_rounded(supported)} per week at best (one in {duration(SECONDS_PER_WEEK / supported)}, with 95 % confidence); the rest is "
        f"extrapolated, {_rounded(beyond)} times beyond that{doubt}. To support {asked} per week, record "
        f"{duration(seconds_to_support(false_alarms_per_week))}, over all loads of the machine"
    )


def _rounded(number: float) -> str:
    """Three digits, never an exponent."""
    return f"{float(f'{number:.3g}'):,.10g}"


def duration(seconds: float) -> str:
    """A length of time as people say it: `21 days`."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
