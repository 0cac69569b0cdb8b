from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

from calibrate.metrics import sample
from calibrate.metrics.bootstrap import percentile_interval, resampled_roc_auc, roc_auc_interval
from calibrate.metrics.sample import area_up_to, best_f1, pauc, roc_auc, sample_metrics
from edge.errors import UserError

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

# By hand. Of the 3 x 4 pairs, the anomalous recording wins 2 + 4 + 2 and draws 1 (0.4 against 0.4): (8 + 0.5) / 12.
NORMAL = [0.1, 0.2, 0.4, 0.6]
ANOMALOUS = [0.3, 0.9, 0.4]


def slow_roc_auc(normal: list[float], anomalous: list[float]) -> float:
    """Count every pair."""
    return float(np.mean([(a > n) + 0.5 * (a == n) for a in anomalous for n in normal]))


def slow_roc_curve(normal: list[float], anomalous: list[float]) -> tuple[list[float], list[float]]:
    """False-alarm and detection rates at every threshold, from the strictest on."""
    thresholds = [np.inf, *sorted({*normal, *anomalous}, reverse=True)]
    return (
        [sum(n >= t for n in normal) / len(normal) for t in thresholds],
        [sum(a >= t for a in anomalous) / len(anomalous) for t in thresholds],
    )


def slow_pauc(normal: list[float], anomalous: list[float], limit: float) -> float:
    """Integrate the curve up to `limit` with a fine grid, then standardise it as McClish does."""
    grid = np.linspace(0.0, limit, 200_001)
    # At a vertical step the curve is its upper end to the right of it, hence the tiny slope.
    false_alarms, detections = slow_roc_curve(normal, anomalous)
    heights = np.interp(grid, np.array(false_alarms) + 1e-12 * np.arange(len(false_alarms)), detections)
    area = limit * float(np.mean(heights[1:] + heights[:-1])) / 2
    smallest = limit**2 / 2
    return 0.5 * (1 + (area - smallest) / (limit - smallest))


def slow_best_f1(normal: list[float], anomalous: list[float]) -> float:
    """Try every threshold."""
    found = []
    for threshold in {*normal, *anomalous}:
        hits = sum(a >= threshold for a in anomalous)
        false_alarms = sum(n >= threshold for n in normal)
        found.append(2 * hits / (2 * hits + false_alarms + len(anomalous) - hits))
    return max(found)


def random_scores(seed: int) -> tuple[list[float], list[float]]:
    """Scores with ties."""
    random = np.random.default_rng(seed)
    normal = np.round(random.normal(0, 1, int(random.integers(2, 40))), 1).tolist()
    anomalous = np.round(random.normal(0.8, 1.5, int(random.integers(2, 40))), 1).tolist()
    return normal, anomalous


def test_roc_auc_of_hand_computed_case_is_exact() -> None:
    assert roc_auc(NORMAL, ANOMALOUS) == pytest.approx(8.5 / 12)


def test_pauc_of_hand_computed_case_is_exact() -> None:
    # The highest normal score is 0.6 and 1 of 3 anomalous ones lies above it: up to a false-alarm rate of 1/4 the curve is flat at 1/3.
    area, smallest, largest = 0.1 / 3, 0.005, 0.1
    assert pauc(NORMAL, ANOMALOUS) == pytest.approx(0.5 * (1 + (area - smallest) / (largest - smallest)))


def test_best_f1_of_hand_computed_case_is_exact() -> None:
    # At 0.3 all 3 are found with 2 false alarms: precision 3/5, recall 1. No other threshold does better.
    assert best_f1(NORMAL, ANOMALOUS) == pytest.approx(0.75)


@pytest.mark.parametrize("seed", range(20))
def test_figures_of_random_scores_equal_slow_reference(seed: int) -> None:
    normal, anomalous = random_scores(seed)
    assert roc_auc(normal, anomalous) == pytest.approx(slow_roc_auc(normal, anomalous))
    assert pauc(normal, anomalous) == pytest.approx(slow_pauc(normal, anomalous, 0.1), abs=1e-4)
    assert best_f1(normal, anomalous) == pytest.approx(slow_best_f1(normal, anomalous))


@pytest.mark.parametrize("limit", [0.01, 0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(10))
def test_pauc_of_random_scores_equals_scikit_learn(seed: int, limit: float) -> None:
    normal, anomalous = random_scores(seed)
    labels = [0] * len(normal) + [1] * len(anomalous)
    expected = importlib.import_module("sklearn.metrics").roc_auc_score(labels, normal + anomalous, max_fpr=limit)
    assert pauc(normal, anomalous, limit) == pytest.approx(expected)


def test_pauc_up_to_one_is_the_whole_area() -> None:
    assert pauc(NORMAL, ANOMALOUS, 1.0) == pytest.approx(roc_auc(NORMAL, ANOMALOUS))


def test_pauc_of_scores_all_alike_is_chance_and_of_reversed_ones_is_below() -> None:
    assert pauc([0.5, 0.5, 0.5], [0.5, 0.5]) == pytest.approx(0.5)
    assert pauc([0.8, 0.9], [0.1, 0.2]) == pytest.approx(0.5 * (1 - 0.005 / 0.095))  # no area at all where chance has 0.005


def test_area_up_to_of_hand_computed_curve_is_exact() -> None:
    # Flat at 0.4 up to a false-alarm rate of 0.2, then a straight line to (1, 1), which is at 0.625 at 0.5; and a step up at 0.
    false_alarm_rates, heights = np.array([0.0, 0.0, 0.2, 1.0]), np.array([0.0, 0.4, 0.4, 1.0])
    assert area_up_to(false_alarm_rates, heights, 0.1) == pytest.approx(0.04)
    assert area_up_to(false_alarm_rates, heights, 0.2) == pytest.approx(0.08)
    assert area_up_to(false_alarm_rates, heights, 0.5) == pytest.approx(0.08 + 0.3 * (0.4 + 0.625) / 2)
    assert area_up_to(false_alarm_rates, heights, 1.0) == pytest.approx(0.08 + 0.8 * 0.7)


def test_area_up_to_a_vertical_step_at_the_limit_leaves_the_step_out() -> None:
    assert area_up_to(np.array([0.0, 0.3, 0.3, 1.0]), np.array([0.2, 0.2, 0.9, 0.9]), 0.3) == pytest.approx(0.06)


@pytest.mark.parametrize("limit", [0.0, -0.1, 1.5, float("nan")])
def test_area_up_to_a_limit_that_is_no_rate_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="not above 0 and at most 1"):
        area_up_to(np.array([0.0, 1.0]), np.array([0.0, 1.0]), limit)


def test_figures_of_perfect_scores_are_one() -> None:
    metrics = sample_metrics([0.1, 0.2], [0.8, 0.9, 1.0])
    assert (metrics.roc_auc, metrics.pauc, metrics.f1) == (1.0, 1.0, 1.0)
    assert metrics.roc_auc_interval == (1.0, 1.0)
    assert (metrics.normal, metrics.anomalous) == (2, 3)


def test_best_f1_when_the_highest_score_is_normal_is_a_number() -> None:
    assert best_f1([0.1, 0.9], [0.5]) == pytest.approx(slow_best_f1([0.1, 0.9], [0.5]))


@pytest.mark.parametrize(("normal", "anomalous"), [([], [1.0]), ([1.0], []), ([1.0, float("nan")], [1.0])])
def test_sample_metrics_of_scores_that_cannot_be_judged_is_refused(normal: list[float], anomalous: list[float]) -> None:
    with pytest.raises(UserError, match="recordings: "):
        sample_metrics(normal, anomalous)


def test_require_scikit_learn_without_it_raises_what_the_front_door_explains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ModuleNotFoundError) as error:
        sample.require_scikit_learn()
    assert (error.value.name or "").partition(".")[0] == "sklearn"


def test_resampled_roc_auc_equals_slow_reference_on_the_same_draws() -> None:
    normal, anomalous = (np.array(scores) for scores in random_scores(3))
    random = np.random.default_rng(5)
    expected = []
    for _ in range(50):
        drawn_normal = random.choice(normal, len(normal))
        drawn_anomalous = random.choice(anomalous, len(anomalous))
        expected.append(slow_roc_auc(drawn_normal.tolist(), drawn_anomalous.tolist()))
    assert resampled_roc_auc(normal, anomalous, seed=5, resamples=50) == pytest.approx(expected)


def test_roc_auc_interval_same_seed_repeats_and_holds_the_figure() -> None:
    normal, anomalous = random_scores(1)
    interval = roc_auc_interval(normal, anomalous, seed=7)
    assert interval == roc_auc_interval(normal, anomalous, seed=7)
    assert interval.low < roc_auc(normal, anomalous) < interval.high


def test_roc_auc_interval_of_known_distribution_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    truth = 0.7602  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    intervals = [roc_auc_interval(random.normal(0, 1, 40), random.normal(1, 1, 40), seed=i, resamples=300) for i in range(150)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert 0.88 <= covered <= 0.99


def test_percentile_interval_of_uniform_values_is_the_middle_ninety_five_hundredths() -> None:
    assert percentile_interval(np.linspace(0, 1, 10_001)) == pytest.approx((0.025, 0.975))
