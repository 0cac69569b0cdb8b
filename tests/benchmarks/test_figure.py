from __future__ import annotations

import numpy as np
import pytest

from benchmarks.figure import Figure


@pytest.mark.parametrize(("count", "low", "high"), [(1, 1, 1), (2, 1, 2), (7, 1, 7), (8, 1, 8), (9, 2, 8), (15, 4, 12), (25, 8, 18)])
def test_figure_interval_lies_at_the_order_statistics_of_the_sign_test(count: int, low: int, high: int) -> None:
    """The ranks are those of the tables, such as Conover's A3: 4 and 12 of 15."""
    values = np.random.default_rng(count).permutation(np.arange(1.0, count + 1.0)).tolist()
    assert Figure.of(values) == Figure((count + 1) / 2, low, high)


def test_figure_interval_holds_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    figures = [Figure.of(rng.exponential(1.0, 15).tolist()) for _ in range(2000)]
    held = np.mean([figure.low <= np.log(2.0) <= figure.high for figure in figures])
    assert 0.95 <= held <= 0.98
