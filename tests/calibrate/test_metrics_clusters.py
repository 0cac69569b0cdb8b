from __future__ import annotations

import numpy as np
import pytest

from calibrate.metrics import clusters
from calibrate.metrics.clusters import clustered_roc_auc, draw_clusters


def slow_roc_auc(normal: list[float], anomalous: list[float]) -> float:
    """Count every pair."""
    return float(np.mean([(a > n) + 0.5 * (a == n) for a in anomalous for n in normal]))


def test_clustered_roc_auc_of_hand_computed_case_is_exact() -> None:
    normal = [np.array([0.1, 0.5]), np.array([0.3])]
    anomalous = [np.array([0.4]), np.array([0.3, 0.9])]
    once_each, twice_the_first, twice_the_second = clustered_roc_auc(normal, anomalous, np.array([[1, 1], [2, 0], [0, 2]]))
    assert once_each == pytest.approx((2 + 1.5 + 3) / 9)  # 0.4 beats 0.1 and 0.3; 0.3 beats 0.1 and draws with 0.3; 0.9 beats all
    assert twice_the_first == pytest.approx(0.5)
    assert twice_the_second == pytest.approx(0.75)


@pytest.mark.parametrize("seed", range(10))
def test_clustered_roc_auc_of_random_clusters_equals_slow_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    normal = [np.round(random.normal(0, 1, int(random.integers(1, 9))), 1) for _ in range(5)]
    anomalous = [np.round(random.normal(1, 1, int(random.integers(1, 9))), 1) for _ in range(5)]
    draws = draw_clusters(5, seed=seed, resamples=20)
    expected = []
    for row in draws:
        drawn = [index for index, count in enumerate(row) for _ in range(count)]
        expected.append(slow_roc_auc([float(v) for i in drawn for v in normal[i]], [float(v) for i in drawn for v in anomalous[i]]))
    assert clustered_roc_auc(normal, anomalous, draws) == pytest.approx(expected)


def test_clustered_roc_auc_of_more_values_than_bins_is_as_good_as_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    normal, anomalous = [random.normal(0, 1, 2000) for _ in range(3)], [random.normal(1, 1, 2000) for _ in range(3)]
    draws = draw_clusters(3, resamples=10)
    exact = clustered_roc_auc(normal, anomalous, draws)
    monkeypatch.setattr(clusters, "BINS", 20000)
    assert clustered_roc_auc(normal, anomalous, draws) == pytest.approx(exact, abs=1e-4)


def test_clustered_roc_auc_leaves_out_resamples_that_lack_a_class() -> None:
    normal, anomalous = [np.array([0.1]), np.array([])], [np.array([]), np.array([0.2])]
    assert clustered_roc_auc(normal, anomalous, np.array([[2, 0], [1, 1], [0, 2]])).tolist() == [1.0]


def test_draw_clusters_same_seed_repeats_and_every_row_adds_up() -> None:
    draws = draw_clusters(7, seed=3, resamples=50)
    assert draws.shape == (50, 7)
    assert (draws.sum(axis=1) == 7).all()
    assert np.array_equal(draws, draw_clusters(7, seed=3, resamples=50))
    assert not np.array_equal(draws, draw_clusters(7, seed=4, resamples=50))


def test_clustered_interval_is_wider_than_one_over_cells_that_move_together() -> None:
    """Cells of one recording share its offset: to draw cells would claim ten times too much."""
    random = np.random.default_rng(0)
    offsets = random.normal(0, 1, 8)
    normal = [offset + random.normal(0, 0.1, 400) for offset in offsets]
    anomalous = [offset + random.normal(0.5, 0.1, 400) for offset in offsets[::-1]]
    one_each = draw_clusters(8, resamples=500)
    per_cell = (
        [np.array([value]) for value in np.concatenate(normal)[:400]],
        [np.array([value]) for value in np.concatenate(anomalous)[:400]],
    )
    assert np.std(clustered_roc_auc(normal, anomalous, one_each)) > 2 * np.std(
        clustered_roc_auc(*per_cell, draw_clusters(400, resamples=500))
    )
