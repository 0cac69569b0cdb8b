from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrate.tail import CLUSTER_S, LARGEST_SHAPE, PRIOR_SHAPE, fit_tail, supported_false_alarms_per_week
from edge.judgement.tail import SECONDS_PER_WEEK, Tail

Float64 = NDArray[np.float64]

STEP_S = 0.32  # a block
APART = 8  # steps: more than a cluster


def pareto(count: int, scale: float, shape: float, seed: int = 0) -> Float64:
    """Generalised Pareto by inversion, shape (count,)."""
    uniform = np.random.default_rng(seed).uniform(size=count)
    drawn: Float64 = -scale * np.log(uniform) if shape == 0 else scale * (uniform**-shape - 1) / shape
    return drawn


def peaks_apart(peaks: Float64) -> Float64:
    """A series in which every peak is a cluster of its own, shape (APART * peaks,)."""
    series = np.zeros(APART * len(peaks))
    series[::APART] = peaks
    return series


def exceedances(series: Float64, threshold: float, step_s: float) -> int:
    """How many alarms a series gives: runs above the threshold, those closer than a cluster counted once."""
    above = np.flatnonzero(series > threshold)
    return 0 if not len(above) else 1 + int(np.count_nonzero(np.diff(above) * step_s > CLUSTER_S))


@pytest.mark.parametrize("shape", [0.0, 0.1, 0.3])
def test_fit_tail_of_many_peaks_recovers_their_generalised_pareto(shape: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calibrate.tail.STEPS_ABOVE_ONSET", 20_000)  # enough to tell
    tail = fit_tail([peaks_apart(1.0 + pareto(50_000, 2.0, shape))], STEP_S)
    assert tail.shape == pytest.approx(shape, abs=0.03)
    assert tail.scale == pytest.approx(2.0 + shape * (tail.onset - 1.0), rel=0.1)  # above a higher onset (Coles 2001, section 4.2)
    assert tail.rate_per_s == pytest.approx(20_000 / (50_000 * APART * STEP_S), rel=0.01)


def test_fit_tail_of_longer_recordings_starts_higher() -> None:
    noise = np.random.default_rng(0).exponential(size=100_000)
    onsets = [fit_tail([noise[:count]], STEP_S).onset for count in (1000, 5000, 20_000, 100_000)]
    assert onsets[:2] == pytest.approx([np.log(10)] * 2, rel=0.2)  # the 0.9 quantile, however short
    assert onsets[2:] == pytest.approx([np.log(40), np.log(200)], rel=0.05)


def test_fit_tail_of_bounded_peaks_is_no_lighter_than_exponential() -> None:
    tail = fit_tail([peaks_apart(np.random.default_rng(0).uniform(1.0, 2.0, 50_000))], STEP_S)
    assert tail.shape == 0.0


def test_fit_tail_of_very_heavy_peaks_is_limited() -> None:
    assert fit_tail([peaks_apart(pareto(50_000, 1.0, 1.5))], STEP_S).shape == LARGEST_SHAPE


def test_fit_tail_of_few_peaks_stays_near_what_is_usual() -> None:
    for seed in range(20):
        tail = fit_tail([peaks_apart(1.0 + pareto(10, 1.0, 0.0, seed))], STEP_S)
        assert tail.shape == pytest.approx(PRIOR_SHAPE, abs=0.2)


def test_fit_tail_counts_peaks_close_together_once() -> None:
    single, double = np.zeros(10_000), np.zeros(10_000)
    single[::100] = 1.0 + pareto(100, 1.0, 0.1)
    double[::100] = single[::100]
    double[3::100] = 0.5 * single[::100]  # an echo 0.96 s later
    assert fit_tail([double], STEP_S).rate_per_s == pytest.approx(fit_tail([single], STEP_S).rate_per_s)
    assert fit_tail([double], STEP_S).scale == pytest.approx(fit_tail([single], STEP_S).scale)


def test_fit_tail_never_joins_peaks_of_different_recordings() -> None:
    series = np.zeros(20)
    series[-1] = 2.0
    tail = fit_tail([series, series[::-1], series, series[::-1]], STEP_S)
    assert tail.rate_per_s * 80 * STEP_S == pytest.approx(4)


@pytest.mark.parametrize("value", [-3.0, 0.0, 5.0])
def test_fit_tail_of_a_constant_gives_a_finite_threshold_above_it(value: float) -> None:
    tail = fit_tail([np.full(100, value)], STEP_S)
    assert np.isfinite(tail.surprise_at(1.0))
    assert tail.surprise_at(1.0) > value
    assert tail.rate_per_s == pytest.approx(1 / (100 * STEP_S))


@pytest.mark.parametrize("count", [1, 2, 10, 1000])
def test_fit_tail_of_equal_peaks_takes_them_for_the_end_of_the_tail(count: int) -> None:
    series = np.zeros(20 * count)
    series[::20] = 1.0
    tail = fit_tail([series], STEP_S)
    assert tail.shape <= PRIOR_SHAPE
    assert np.isfinite(tail.surprise_at(1.0))


def test_fit_tail_of_a_single_block_is_finite() -> None:
    tail = fit_tail([np.array([0.4])], STEP_S)
    assert np.isfinite(tail.surprise_at(1.0))


@pytest.mark.parametrize("shape", [0.0, 0.2, 0.5])
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
    observed = exceedances(later, tail.surprise_at(false_alarms_per_week), STEP_S) / weeks
    assert false_alarms_per_week / 2 < observed < false_alarms_per_week * 2


def test_supported_false_alarms_per_week_follows_the_rule_of_three() -> None:
    assert supported_false_alarms_per_week(SECONDS_PER_WEEK) == 3.0
    assert supported_false_alarms_per_week(3600.0) == pytest.approx(504.0)
