"""What is said of a threshold: whether the recordings vouch for the rate of false alarms that was asked for."""

from __future__ import annotations

from edge.judgement.tail import SECONDS_PER_WEEK
from edge.judgement.tail_fit import seconds_to_support, supported_false_alarms_per_week

FAR_BEYOND = 50.0  # from here on the error of an extrapolated rate is about tenfold (`auscult benchmark tail`)


def threshold_note(seconds: float, false_alarms_per_week: float) -> str:
    """Say plainly when the recordings are too short for the promise; empty when they are not."""
    supported = supported_false_alarms_per_week(seconds)
    if supported <= false_alarms_per_week:
        return ""
    beyond = supported / false_alarms_per_week
    doubt = " and may give ten times more or fewer" if beyond >= FAR_BEYOND else ""
    return (
        f"threshold: {_duration(seconds)} of recordings vouch for {_rounded(supported)} false alarms per week at best (one in "
        f"{_duration(SECONDS_PER_WEEK / supported)}, with 95 % confidence); {_rounded(false_alarms_per_week)} per week is extrapolated "
        f"{_rounded(beyond)} times beyond that{doubt}; {_duration(seconds_to_support(false_alarms_per_week))} of recordings, over all "
        "loads of the machine, would vouch for it"
    )


def _rounded(number: float) -> str:
    """Three digits, never an exponent."""
    return f"{float(f'{number:.3g}'):,.10g}"


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
