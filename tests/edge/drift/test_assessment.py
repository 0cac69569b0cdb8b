from __future__ import annotations

import numpy as np
import pytest

from edge.drift.assessment import assess
from edge.drift.measured import measure
from edge.drift.panel import BROAD
from tests.drift_scenes import EDGES_HZ, WORN, heard, history, spectrum


def told_by(days: int, **change: float) -> tuple[set[int], float | None, float]:
    """The bands (-2 is the level, -1 the tilt) that were ever told, the day of the first, and the last slope of the worn band per week."""
    kept, rng = history(), np.random.default_rng(3)
    told: set[int] = set()
    first = None
    slope = 0.0
    for at in range(24 * days):
        kept.add(heard(at, spectrum(at, **change), rng))  # type: ignore[arg-type]  # step_at is whole
        if at % 3 == 0 and at > 4 * 24:
            found = assess(kept)
            told |= {int(place) - BROAD for place in np.flatnonzero(found.told)}
            first = at / 24.0 if told and first is None else first
            slope = 7.0 * float(found.slopes[BROAD + WORN])
    return told, first, slope


def test_wear_is_told_within_a_week_and_its_slope_is_right() -> None:
    told, first, slope = told_by(8, wear_db_a_day=0.2)
    assert told == {WORN}
    assert first is not None
    assert first <= 7.5
    assert slope == pytest.approx(1.4, abs=0.25)


def test_nights_loads_and_weekends_are_no_drift() -> None:
    assert told_by(14)[0] == set()


def test_too_few_days_are_waited_for_and_said() -> None:
    kept, rng = history(), np.random.default_rng(1)
    for at in range(30):
        kept.add(heard(at, spectrum(at), rng))
    report = measure(kept, None, [], 0.0)
    assert report.state == "waiting"
    assert "1.2 days heard" in (report.reason or "")
    assert report.level.per_week is None


def test_report_names_the_band_how_far_it_moved_and_its_interval() -> None:
    kept, rng = history(), np.random.default_rng(2)
    for at in range(24 * 8):
        kept.add(heard(at, spectrum(at, wear_db_a_day=0.3), rng))
        if at > 24 * 7:
            report = measure(kept, None, [], 0.0)
    assert report.state == "drifting"
    (band,) = report.bands
    assert (band.f_lo_hz, band.f_hi_hz) == EDGES_HZ[WORN]
    slope = band.slope
    assert slope.low is not None
    assert slope.high is not None
    assert slope.low < 2.1 < slope.high
    assert slope.moved == pytest.approx(2.1, abs=0.4)
    assert report.weeks_to_alarm is None  # no bundle to ask
    assert dict(report.heads)["score"].per_week == pytest.approx(0.0, abs=1e-6)
