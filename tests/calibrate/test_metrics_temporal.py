from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from calibrate.metrics.temporal import moment_scores, temporal_f1, temporal_roc_auc, temporal_truth

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

# Log energies of the moments 1 .. 4, in which the sound was added, summed over two bands: log 4, log 9, log 1, log 100. Median between
# log 4 and log 9: moments 2 and 4 exceed it. A plain sum would have chosen moment 3 (50.02) instead of 2.
ENERGY = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [50.0, 0.02], [10.0, 10.0], [9.0, 9.0]])
TRUTH = np.array([0, 0, 1, 0, 1, 0], np.bool_)


def slow_scores(anomaly_map: np.ndarray) -> list[float]:
    return [sum(sorted(map(float, row), reverse=True)[:5]) / min(5, len(row)) for row in anomaly_map]


def test_temporal_truth_of_hand_computed_case_is_the_louder_half_by_log_energy() -> None:
    assert np.array_equal(temporal_truth(ENERGY, slice(1, 5)), TRUTH)


@pytest.mark.parametrize("seed", range(10))
def test_temporal_truth_of_random_energy_equals_slow_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    energy = random.exponential(size=(int(random.integers(10, 30)), 7)) ** 3
    first = int(random.integers(0, 8))
    span = range(first, min(first + int(random.integers(1, 20)), len(energy)))
    log_energies = {t: sum(math.log(float(value)) for value in energy[t]) for t in span}
    median = statistics.median(log_energies.values())
    expected = [t in span and log_energies[t] > median for t in range(len(energy))]
    assert temporal_truth(energy, slice(span.start, span.stop)).tolist() == expected


def test_temporal_truth_with_a_silent_band_counts_it_as_the_floor() -> None:
    # One silent band against another band that is 20 dB stronger: -100 dB + 20 dB is below 2 x 0 dB, but above 2 x -60 dB.
    energy = np.array([[0.0, 100.0], [1.0, 1.0], [1e-6, 1e-6]])
    assert temporal_truth(energy, slice(0, 2)).tolist() == [False, True, False]
    assert temporal_truth(energy[[0, 2]], slice(0, 2)).tolist() == [True, False]


def test_temporal_truth_of_a_span_without_moments_is_nothing() -> None:
    assert not temporal_truth(ENERGY, slice(6, 6)).any()


def test_moment_scores_of_hand_computed_case_are_means_of_the_five_largest() -> None:
    anomaly_map = np.array([[1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 0, 0, 0, 5]], np.float32)
    assert moment_scores(anomaly_map).tolist() == [5.0, 1.0]


def test_moment_scores_of_fewer_than_five_bands_are_means_of_all() -> None:
    assert moment_scores(np.array([[1, 3]], np.float32)).tolist() == [2.0]


def test_temporal_figures_of_hand_computed_case_are_exact() -> None:
    anomaly_map = np.array([[0.1], [0.5], [0.4], [0.2], [0.9], [0.3]], np.float32)
    # Moment 4 beats all four normal ones; moment 2 beats 0.1, 0.2, 0.3 and loses to 0.5.
    assert temporal_roc_auc([anomaly_map], [TRUTH]) == pytest.approx(7 / 8)
    assert temporal_f1([anomaly_map], [TRUTH]) == pytest.approx(2 * 2 / (3 + 2))  # called at 0.4: three moments, two of them true


@pytest.mark.parametrize("seed", range(10))
def test_temporal_figures_of_random_maps_equal_slow_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    maps = [random.random((30, 9)).astype(np.float32) for _ in range(3)]
    truths = [random.random(30) < 0.3 for _ in maps]
    maps[2][4] = np.nan  # not heard
    cells = [(s, bool(t)) for m, truth in zip(maps, truths, strict=True) for s, t in zip(slow_scores(m), truth, strict=True) if s == s]
    normal, anomalous = [s for s, t in cells if not t], [s for s, t in cells if t]
    pairs = [(a > n) + 0.5 * (a == n) for a in anomalous for n in normal]
    assert temporal_roc_auc(maps, truths) == pytest.approx(np.mean(pairs))
    called = [sum(s >= threshold for s, _ in cells) for threshold, _ in cells]
    hits = [sum(s >= threshold for s in anomalous) for threshold, _ in cells]
    assert temporal_f1(maps, truths) == pytest.approx(max(2 * h / (c + len(anomalous)) for h, c in zip(hits, called, strict=True)))


def test_temporal_truth_of_random_energy_is_half_of_the_span() -> None:
    truth = temporal_truth(np.random.default_rng(0).exponential(size=(100, 14)), slice(10, 60))
    assert truth[10:60].mean() == 0.5
    assert not truth[:10].any()
    assert not truth[60:].any()
