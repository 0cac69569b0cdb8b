from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.judgement.tail import SECONDS_PER_WEEK, TRUSTED, Tail

tails = st.builds(
    Tail,
    onset=st.floats(-5, 5),
    rate_per_s=st.floats(1e-4, 1.0),
    scale=st.floats(0.05, 5.0),
    shape=st.one_of(st.just(0.0), st.floats(0.01, 0.8), st.floats(-0.6, -0.01)),
)


@given(tail=tails, per_week=st.floats(1e-3, 50.0))
def test_tail_surprise_and_alarms_are_each_other_s_inverse(tail: Tail, per_week: float) -> None:
    surprise = tail.surprise_at(per_week)
    assert tail.alarms_per_s(surprise) * SECONDS_PER_WEEK == pytest.approx(per_week, rel=1e-4)


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


@pytest.mark.parametrize("shape", [1e-6, -1e-6, 1e-12, -1e-12])
def test_tail_small_shape_approaches_the_exponential(shape: float) -> None:
    exponential, nearly = Tail(1.0, 0.2, 0.7, 0.0), Tail(1.0, 0.2, 0.7, shape)
    for surprise in (0.0, 1.5, 4.0, 8.0):
        assert nearly.alarms_per_s(surprise) == pytest.approx(exponential.alarms_per_s(surprise), rel=1e-3)
    assert nearly.surprise_at(1.0) == pytest.approx(exponential.surprise_at(1.0), rel=1e-3)


def test_tail_heavier_shape_asks_for_a_higher_threshold() -> None:
    thresholds = [Tail(0.0, 0.1, 1.0, shape).surprise_at(1.0) for shape in (-0.3, -0.1, 0.0, 0.1, 0.3)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[-1] / 10


@pytest.mark.parametrize("shape", [-0.6, -0.3, -0.05])
def test_tail_of_negative_shape_beyond_its_end_continues_getting_rarer(shape: float) -> None:
    tail = Tail(onset=1.0, rate_per_s=0.05, scale=0.7, shape=shape)
    end = 1.0 + 0.7 / -shape
    beyond = [tail.alarms_per_s(end + further) for further in (0.0, 0.5, 1.0, 50.0)]
    assert beyond == sorted(beyond, reverse=True)
    assert 0.0 < beyond[-1] < beyond[0] <= 0.05 * TRUSTED * 1.001
    assert 0.0 < tail.p_value(end + 50.0, 10.0) < 1e-8


def test_tail_of_negative_shape_is_itself_where_it_is_trusted() -> None:
    tail = Tail(onset=1.0, rate_per_s=0.05, scale=0.7, shape=-0.2)
    assert tail.alarms_per_s(2.4) == pytest.approx(0.05 * (1 - 0.2 * 2.0) ** 5)


def test_tail_of_negative_shape_has_a_finite_threshold_for_any_promise() -> None:
    tail = Tail(onset=1.0, rate_per_s=1.0, scale=0.7, shape=-0.5)
    thresholds = [tail.surprise_at(rate) for rate in (1.0, 1e-4, 1e-8, 1e-300)]
    assert thresholds == sorted(set(thresholds))
    assert math.isfinite(thresholds[-1])


@pytest.mark.parametrize(
    "changed",
    [{"scale": 0.0}, {"scale": -1.0}, {"shape": -1.0}, {"rate_per_s": 0.0}, {"onset": math.nan}, {"shape": math.inf}, {"scale": math.inf}],
)
def test_tail_that_is_none_is_refused(changed: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a tail of"):
        Tail(**({"onset": 0.0, "rate_per_s": 0.1, "scale": 1.0, "shape": 0.1} | changed)).check()


@pytest.mark.parametrize("shape", [-0.5, 0.0, 0.5])
def test_tail_parameters_make_the_same_tail(shape: float) -> None:
    tail = Tail(0.5, 0.1, 0.3, shape)
    tail.check()
    assert Tail(**tail.parameters()) == tail
