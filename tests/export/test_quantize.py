from __future__ import annotations

import numpy as np
import pytest

from export.quantize import Histogram


def test_histogram_percentile_is_that_of_the_positive_values() -> None:
    values = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    histogram = Histogram()
    histogram.add(values)
    assert histogram.percentile(99.0) == pytest.approx(np.percentile(values[values > 0], 99.0), rel=0.01)
    assert histogram.percentile(100.0) == pytest.approx(values.max(), rel=0.01)


def test_histogram_whose_largest_value_grows_counts_the_same() -> None:
    values = np.sort(np.random.default_rng(1).gamma(2.0, size=10_000).astype(np.float32))
    one, other = Histogram(), Histogram()
    for part in np.array_split(values, 7):
        one.add(part)
    other.add(values)
    assert one.counts.sum() == other.counts.sum() == np.count_nonzero(values)
    assert one.percentile(99.0) == pytest.approx(other.percentile(99.0), rel=0.01)


def test_histogram_of_silence_still_has_a_range() -> None:
    histogram = Histogram()
    histogram.add(np.zeros(10, np.float32))
    assert histogram.percentile(99.0) == 1.0
