from __future__ import annotations

import pytest

from benchmarks.rate import Rate
from edge.judgement.tail import SECONDS_PER_WEEK


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904), (100, 81.3640, 121.6270)],  # Garwood's table
)
def test_rate_interval_is_the_exact_one(count: int, low: float, high: float) -> None:
    assert Rate(count, SECONDS_PER_WEEK).interval == pytest.approx((low, high), abs=2e-3)


def test_rate_of_three_hours_is_per_week() -> None:
    rate = Rate(2, 3 * 3600.0)
    assert rate.per_week == pytest.approx(112.0)
    assert rate.interval == pytest.approx(tuple(56.0 * end for end in (0.2422, 7.2247)), rel=1e-3)


def test_rate_interval_of_many_is_close_to_two_standard_deviations() -> None:
    low, high = Rate(2500, SECONDS_PER_WEEK).interval
    assert (low, high) == pytest.approx((2500 - 98, 2500 + 100), abs=4)
