from __future__ import annotations

import pytest

from benchmarks.share import Share


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),  # z^2 / (10 + z^2)
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (15, 148, 0.0624, 0.1605),  # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3
        (1, 29, 0.0061, 0.1718),  # the same
    ],
)
def test_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert Share(count, of).interval == pytest.approx((low, high), abs=5e-5)
    assert Share(count, of).fraction == count / of


def test_share_of_nothing_is_no_number() -> None:
    assert (Share(0, 0).fraction, Share(0, 0).interval) == (None, None)
