from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.judgement.tail import SECONDS_PER_WEEK, Tail

tails = st.builds(
    Tail,
    onset=st.floats(-5, 5),
    rate_per_s=st.floats(1e-4, 1.0),
    scale=st.floats(0.05, 5.0),
    shape=st.one_of(st.just(0.0), st.floats(0.01, 0.5)),
)


@given(tail=tails, per_week=st.floats(1e-3, 50.0))
def test_tail_surprise_and_alarms_are_each_other_s_inverse(tail: Tail, per_week: float) -> None:
    surprise = tail.surprise_at(per_week)
    assert tail.alarms_per_s(surprise) * SECONDS_PER_WEEK == pytest.approx(per_week, rel=1e-6)


@given(tail=tails, surprises=st.tuples(st.floats(-10, 100), st.floats(-10, 100)))
def test_tail_more_surprise_is_never_more_frequent(tail: Tail, surprises: tuple[float, float]) -> None:
    low, high = sorted(surprises)
    assert 0.0 <= tail.alarms_per_s(high) <= tail.alarms_per_s(low)
    assert tail.alarms_per_s(tail.onset) == tail.rate_per_s


@given(tail=tails, rates=st.tuples(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6)))
def test_tail_fewer_alarms_need_a_higher_threshold(tail: Tail, rates: tuple[float, float]) -> None:
    low, high = sorted(rates)
    assert tail.surprise_at(low) >= tail.surprise_at(high) >= tail.onset


@given(tail=tails, surprise=st.floats(-10, 1e4), seconds=st.floats(0, 1e6))
def test_tail_p_value_is_a_probability(tail: Tail, surprise: float, seconds: float) -> None:
    assert 0.0 <= tail.p_value(surprise, seconds) <= 1.0


def test_tail_p_value_of_a_rare_peak_is_its_expected_count() -> None:
    tail = Tail(onset=0.0, rate_per_s=0.1, scale=1.0, shape=0.0)
    assert tail.p_value(20.0, 10.0) == pytest.approx(0.1 * math.exp(-20.0) * 10.0, rel=1e-6)
    assert tail.p_value(-3.0, 1e6) == pytest.approx(1.0)


def test_tail_small_shape_approaches_the_exponential() -> None:
    exponential, nearly = Tail(1.0, 0.2, 0.7, 0.0), Tail(1.0, 0.2, 0.7, 1e-6)
    for surprise in (0.0, 1.5, 4.0, 8.0):
        assert nearly.alarms_per_s(surprise) == pytest.approx(exponential.alarms_per_s(surprise), rel=1e-3)
    assert nearly.surprise_at(1.0) == pytest.approx(exponential.surprise_at(1.0), rel=1e-3)


def test_tail_heavier_shape_asks_for_a_higher_threshold() -> None:
    thresholds = [Tail(0.0, 0.1, 1.0, shape).surprise_at(1.0) for shape in (0.0, 0.1, 0.3)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[2]


@pytest.mark.parametrize("changed", [{"scale": 0.0}, {"scale": -1.0}, {"shape": -0.1}, {"rate_per_s": 0.0}])
def test_tail_that_is_none_is_refused(changed: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a tail of"):
        Tail(**({"onset": 0.0, "rate_per_s": 0.1, "scale": 1.0, "shape": 0.1} | changed)).check()


def test_tail_parameters_make_the_same_tail() -> None:
    tail = Tail(0.5, 0.1, 0.3, 0.2)
    assert Tail(**tail.parameters()) == tail
