from __future__ import annotations

import numpy as np
import pytest

from export.quantize import Histogram


def test_histogram_of_even_values_keeps_the_whole_range() -> None:
    histogram = Histogram()
    histogram.add(np.linspace(0.0, 8.0, 100_001, dtype=np.float32))
    assert histogram.best_range() == pytest.approx(8.0, rel=0.01)


def test_histogram_with_a_lone_outlier_clips_it() -> None:
    histogram = Histogram()
    histogram.add(np.abs(np.random.default_rng(0).standard_normal(2_000_000)).astype(np.float32))
    histogram.add(np.array([40.0], np.float32))
    assert 3.0 < histogram.best_range() < 20.0


def test_histogram_in_any_order_counts_the_same() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=10_000).astype(np.float32)
    one, other = Histogram(), Histogram()
    one.add(np.sort(values)[:5000])
    one.add(np.sort(values)[5000:])
    other.add(values)
    assert one.counts.sum() == other.counts.sum() == np.count_nonzero(values)
    assert one.best_range() == pytest.approx(other.best_range(), rel=0.02)


def test_histogram_of_silence_still_has_a_range() -> None:
    histogram = Histogram()
    histogram.add(np.zeros(10, np.float32))
    assert histogram.best_range() == 1.0
