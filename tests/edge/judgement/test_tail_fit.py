from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.judgement.tail import SECONDS_PER_WEEK, Tail
from edge.judgement.tail_fit import (
    EVENT_S,
    PEAKS_PER_ROOT,
    PRIOR_SCALE,
    PRIOR_SHAPE,
    SHAPES,
    find_peaks,
    fit_tail,
    seconds_to_support,
    supported_false_alarms_per_week,
)

Float64 = NDArray[np.float64]

STEP_S = 0.32  # a block
APART = 60  # steps: more than an event


def pareto(count: int, scale: float, shape: float, seed: int = 0) -> Float64:
    """Generalised Pareto by inversion, shape (count,)."""
    uniform = np.random.default_rng(seed).uniform(size=count)
    drawn: Float64 = -scale * np.log(uniform) if shape == 0 else scale * (uniform**-shape - 1) / shape
    return drawn


def peaks_apart(peaks: Float64) -> Float64:
    """A series in which every peak is an event of its own, shape (APART * peaks,)."""
    series = np.zeros(APART * len(peaks))
    series[::APART] = peaks
    return series


def alarms(series: Float64, threshold: float, step_s: float) -> int:
    """How many alarms a series gives: runs above the threshold, those within an event counted once."""
    above = np.flatnonzero(series > threshold)
    return 0 if not len(above) else 1 + int(np.count_nonzero(np.diff(above) * step_s > EVENT_S))


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.1, 0.3])
def test_fit_tail_of_many_peaks_recovers_their_generalised_pareto(shape: float) -> None:
    step_s, count = EVENT_S, 200_000  # every other step is an event of its own
    series = np.zeros(2 * count)
    series[::2] = 1.0 + pareto(count, 2.0, shape)
    tail = fit_tail([series], step_s)
    fitted = PEAKS_PER_ROOT * np.sqrt(count)
    assert tail.shape == pytest.approx(shape, abs=0.05)
    assert tail.scale == pytest.approx(2.0 + shape * (tail.onset - 1.0), rel=0.1)  # above a higher onset (Coles 2001, section 4.2)
    assert tail.rate_per_s == pytest.approx(fitted / (2 * count * step_s), rel=0.01)


def test_fit_tail_of_longer_recordings_starts_higher() -> None:
    noise = np.random.default_rng(0).exponential(size=300_000)
    onsets = [fit_tail([noise[:count]], STEP_S).onset for count in (1000, 10_000, 100_000, 300_000)]
    assert onsets == sorted(onsets)
    assert onsets[3] > onsets[0] + 2


def test_fit_tail_of_bounded_peaks_ends_soon_after_them() -> None:
    tail = fit_tail([peaks_apart(np.random.default_rng(0).uniform(1.0, 2.0, 20_000))], STEP_S)
    assert tail.shape < -0.4
    assert 1.9 < tail.surprise_at(1.0) < 2.2


def test_fit_tail_of_very_heavy_peaks_is_limited() -> None:
    assert 0.5 < fit_tail([peaks_apart(pareto(20_000, 1.0, 1.5))], STEP_S).shape <= SHAPES[-1]


def test_fit_tail_of_few_peaks_stays_near_what_is_usual() -> None:
    shapes = [fit_tail([peaks_apart(1.0 + pareto(10, 1.0, 0.0, seed))], STEP_S).shape for seed in range(20)]
    assert np.mean(shapes) == pytest.approx(PRIOR_SHAPE, abs=0.05)
    assert all(shape == pytest.approx(PRIOR_SHAPE, abs=0.25) for shape in shapes)


def test_fit_tail_of_many_peaks_in_another_unit_is_about_the_same_tail_in_that_unit() -> None:
    """The prior of the scale is in nats; hundreds of peaks speak louder."""
    noise = np.random.default_rng(0).exponential(size=1_000_000)
    tail, scaled = fit_tail([noise], STEP_S), fit_tail([3 * noise], STEP_S)
    assert (scaled.onset, scaled.rate_per_s) == pytest.approx((3 * tail.onset, tail.rate_per_s))
    assert scaled.scale == pytest.approx(3 * tail.scale, rel=0.1)
    assert scaled.shape == pytest.approx(tail.shape, abs=0.05)


@pytest.mark.parametrize("unit", [0.05, 20.0])
def test_fit_tail_of_few_peaks_that_hardly_or_wildly_differ_has_a_scale_nearer_to_what_is_usual(unit: float) -> None:
    few = [fit_tail([peaks_apart(1.0 + unit * pareto(6, PRIOR_SCALE, 0.0, seed))], STEP_S).scale for seed in range(10)]
    many = fit_tail([peaks_apart(1.0 + unit * pareto(2000, PRIOR_SCALE, 0.0))], STEP_S).scale
    assert abs(np.log(np.median(few) / PRIOR_SCALE)) < 0.8 * abs(np.log(unit))
    assert many == pytest.approx(unit * PRIOR_SCALE, rel=0.25)


def test_find_peaks_are_as_far_apart_as_asked_the_highest_first() -> None:
    series = np.array([1.0, 5.0, 4.0, 4.5, 2.0, 3.0, 0.5])
    assert find_peaks(series, 2).tolist() == [5.0, 3.0]
    assert find_peaks(series, 1).tolist() == [5.0, 4.5, 3.0]
    assert find_peaks(series, 0).tolist() == sorted(series, reverse=True)


def test_find_peaks_of_a_plateau_finds_it_once() -> None:
    series = np.zeros(100)
    series[40:52] = 7.0
    assert find_peaks(series, 20)[0] == 7.0
    assert np.count_nonzero(find_peaks(series, 20) == 7.0) == 1


def test_find_peaks_of_a_long_series_equal_those_found_one_by_one() -> None:
    series = np.random.default_rng(0).normal(size=10_000)  # longer than what is looked at together
    left, expected = series.copy(), []
    while np.isfinite(left).any():
        step = int(np.argmax(left))
        expected.append(left[step])
        left[max(0, step - 30) : step + 31] = -np.inf
    assert find_peaks(series, 30).tolist() == expected


def test_fit_tail_counts_peaks_of_one_event_once() -> None:
    single, double = np.zeros(10_000), np.zeros(10_000)
    single[::100] = 1.0 + pareto(100, 1.0, 0.1)
    double[::100] = single[::100]
    double[30::100] = 0.9 * single[::100]  # an echo 9.6 s later
    assert fit_tail([double], STEP_S) == fit_tail([single], STEP_S)


def test_fit_tail_never_joins_peaks_of_different_recordings() -> None:
    series = np.zeros(100)
    series[-1] = 2.0
    other = np.ones(100)
    tail = fit_tail([series, series[::-1], series, series[::-1], other, other], STEP_S)
    assert tail.onset < 2.0
    assert tail.rate_per_s * 600 * STEP_S >= 4


def test_fit_tail_of_recordings_shorter_than_an_event_counts_each_as_one() -> None:
    values = pareto(40, 1.0, 0.1)
    tail = fit_tail([np.array([value]) for value in values], STEP_S)
    assert tail.rate_per_s == pytest.approx(20 / (40 * EVENT_S))


@pytest.mark.parametrize("value", [-3.0, 0.0, 5.0])
@pytest.mark.parametrize("count", [1, 100, 10_000])
def test_fit_tail_of_a_constant_gives_a_finite_threshold_above_it(value: float, count: int) -> None:
    tail = fit_tail([np.full(count, value)], STEP_S)
    tail.check()
    assert np.isfinite(tail.surprise_at(1.0))
    assert tail.surprise_at(1.0) > value
    assert tail.rate_per_s == pytest.approx(1 / max(count * STEP_S, EVENT_S))


@pytest.mark.parametrize("count", [1, 2, 10, 1000])
def test_fit_tail_of_equal_peaks_gives_a_finite_threshold_above_them(count: int) -> None:
    series = np.zeros(100 * count)
    series[::100] = 1.0
    tail = fit_tail([series], STEP_S)
    tail.check()
    assert 1.0 < tail.surprise_at(1.0) < 100.0


@pytest.mark.parametrize("shape", [-0.3, -0.05, 0.0, 0.2, 0.5])
def test_surprise_at_fewer_false_alarms_is_higher_and_agrees_with_their_rate(shape: float) -> None:
    tail = Tail(onset=0.5, rate_per_s=0.05, scale=1.2, shape=shape)
    rates = [0.01, 0.1, 1.0, 10.0, 1000.0]
    thresholds = [tail.surprise_at(rate) for rate in rates]
    assert thresholds == sorted(thresholds, reverse=True)
    assert [tail.alarms_per_s(threshold) * SECONDS_PER_WEEK for threshold in thresholds] == pytest.approx(rates)


def test_surprise_at_more_false_alarms_than_there_are_peaks_is_the_onset() -> None:
    assert Tail(onset=0.5, rate_per_s=0.05, scale=1.2, shape=0.1).surprise_at(1e9) == 0.5


def test_p_value_grows_with_time_and_falls_with_surprise() -> None:
    tail = Tail(onset=0.5, rate_per_s=0.05, scale=1.2, shape=0.1)
    assert 0 < tail.p_value(5.0, 10.0) < tail.p_value(5.0, 60.0) < tail.p_value(2.0, 60.0) < 1
    assert tail.p_value(0.5, 10.0) == pytest.approx(1 - np.exp(-0.5))
    assert tail.p_value(-10.0, 10.0) == pytest.approx(1.0)
    assert tail.p_value(-1e6, 10.0) == 1.0


@pytest.mark.parametrize("false_alarms_per_week", [20.0, 100.0])
def test_fit_tail_of_a_day_of_exponential_noise_promises_what_the_next_weeks_hold(false_alarms_per_week: float) -> None:
    rng = np.random.default_rng(1)
    weeks = 10
    tail = fit_tail([rng.exponential(size=round(86400 / STEP_S))], STEP_S)
    later = rng.exponential(size=round(weeks * SECONDS_PER_WEEK / STEP_S))
    observed = alarms(later, tail.surprise_at(false_alarms_per_week), STEP_S) / weeks
    assert false_alarms_per_week / 2.5 < observed < false_alarms_per_week * 2.5


def test_fit_tail_of_a_day_of_gaussian_noise_is_not_deaf() -> None:
    rng = np.random.default_rng(2)
    thresholds = [fit_tail([rng.standard_normal(270_000)], STEP_S).surprise_at(1.0) for _ in range(5)]
    assert np.median(thresholds) < 5.4  # the true one is 4.86


def test_supported_false_alarms_per_week_follows_the_rule_of_three() -> None:
    assert supported_false_alarms_per_week(SECONDS_PER_WEEK) == 3.0
    assert supported_false_alarms_per_week(3600.0) == pytest.approx(504.0)


@pytest.mark.parametrize("false_alarms_per_week", [0.1, 1.0, 700.0])
def test_seconds_to_support_a_rate_support_it(false_alarms_per_week: float) -> None:
    assert supported_false_alarms_per_week(seconds_to_support(false_alarms_per_week)) == pytest.approx(false_alarms_per_week)
