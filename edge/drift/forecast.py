"""When the bands that drift will reach the threshold: windows of the last hour are made louder in them, week by week, until half alarm.

Only the heads of steady sound are asked, which hear slow change best; what cells say stays as it is, so 1.0 is reached by then, or earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.judgement.steady import WindowEvidence, more_evidence
from edge.model import Model

Float64 = NDArray[np.float64]

MOST_WEEKS = 26.0
STEP_WEEKS = 0.05

BandSlope = tuple[tuple[float, float], float]  # hertz, dB per week


@dataclass(frozen=True, slots=True)
class PresentWindow:
    """A window of the last hour, and the long one that ended with it."""

    mean: Float64  # (column,)
    cells: int
    long_mean: Float64  # (column,)
    long_cells: int
    surprise: float
    steady_nats: float
    alarm_surprise: float  # of score 1.0


def weeks_to_alarm(model: Model, windows: Sequence[PresentWindow], slopes: Sequence[BandSlope]) -> float | None:
    """Weeks until half of the windows reach 1.0 when each band changes by its slope; None when `MOST_WEEKS` are not enough."""
    if model.steady is None or not windows or not slopes:
        return None

    def alarms(weeks: float) -> bool:
        return 2 * sum(_score(model, one, slopes, weeks) >= 1.0 for one in windows) > len(windows)

    low, high = 0, round(MOST_WEEKS / STEP_WEEKS)
    if not alarms(MOST_WEEKS):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if alarms(middle * STEP_WEEKS) else (middle, high)
    return round(high * STEP_WEEKS, 2)


def _score(model: Model, window: PresentWindow, slopes: Sequence[BandSlope], weeks: float) -> float:
    steady, unit = model.steady, model.units.steady
    assert steady is not None
    said = []
    for mean, cells in ((window.mean, window.cells), (window.long_mean, window.long_cells)):
        changed = mean
        for band_hz, slope in slopes:
            changed = steady.sound.louder(changed, band_hz, slope * weeks)
        said.append(WindowEvidence(steady.evidence_of(steady.sound.of_mean(changed), cells), changed))
    nats = math.fsum(more_evidence(said[0], said[1]).nats.values())
    by_cells = max(0.0, window.surprise**2 - (window.steady_nats / unit) ** 2)
    return math.sqrt(by_cells + (nats / unit) ** 2) / window.alarm_surprise
