from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrate.coreset import Reservoir, greedy_k_center


def grid_points(count: int, seed: int) -> NDArray[np.float32]:
    """Points on whole numbers, shape (count, 3): their squared distances are exact in any precision and order."""
    return np.random.default_rng(seed).integers(-50, 50, (count, 3)).astype(np.float32)


def squared_distances(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """All of them, shape (n, n)."""
    wide = points.astype(np.float64)
    squared: NDArray[np.float64] = np.square(wide[:, None] - wide[None]).sum(axis=2)
    return squared


def slow_k_center(points: NDArray[np.float32], size: int, first: int) -> list[int]:
    """Algorithm 1 of the paper as it is written, with all distances at hand."""
    squared = squared_distances(points)
    chosen = [first]
    while len(chosen) < size:
        chosen.append(int(squared[:, chosen].min(axis=1).argmax()))
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_greedy_k_center_chooses_as_a_slow_reference_does(seed: int) -> None:
    points = grid_points(200, seed)
    chosen = greedy_k_center(points, 30, np.random.default_rng(seed)).tolist()
    assert chosen == slow_k_center(points, 30, chosen[0])


@pytest.mark.parametrize("seed", range(5))
def test_greedy_k_center_covers_within_twice_the_best_possible_radius(seed: int) -> None:
    points = grid_points(13, seed)
    distances = np.sqrt(squared_distances(points))
    best = min(distances[:, list(centers)].min(axis=1).max() for centers in combinations(range(13), 4))
    chosen = greedy_k_center(points, 4, np.random.default_rng(seed))
    assert distances[:, chosen].min(axis=1).max() <= 2 * best


@pytest.mark.parametrize("distinct", [1, 5])
def test_greedy_k_center_of_many_equal_candidates_takes_none_twice_and_each_value_first(distinct: int) -> None:
    values = np.float32(1000.0) + grid_points(distinct, 0) / np.float32(
        7
    )  # far from the origin: the differences of their squares are not exact
    points = np.repeat(values, 40, axis=0)
    chosen = greedy_k_center(points, 20, np.random.default_rng(0))
    assert len(set(chosen.tolist())) == 20
    assert len(np.unique(points[chosen[:distinct]], axis=0)) == distinct


@pytest.mark.parametrize("size", [8, 9, 100])
def test_greedy_k_center_of_no_more_candidates_than_wanted_takes_all(size: int) -> None:
    assert greedy_k_center(grid_points(8, 0), size, np.random.default_rng(0)).tolist() == list(range(8))


def test_greedy_k_center_of_one_takes_one() -> None:
    assert greedy_k_center(grid_points(8, 0), 1, np.random.default_rng(0)).shape == (1,)


def numbered(first: int, last: int) -> NDArray[np.float16]:
    """Rows that hold their own number in two bands of three values, shape (n, 2, 3); numbers up to 2048 are exact."""
    return np.broadcast_to(np.arange(first, last, dtype=np.float16)[:, None, None], (last - first, 2, 3))


def sample(capacity: int, count: int, step: int, seed: int) -> list[int]:
    """What a reservoir keeps of `count` rows that come `step` at a time."""
    reservoir = Reservoir(capacity, np.random.default_rng(seed))
    for first in range(0, count, step):
        reservoir.add(numbered(first, min(count, first + step)))
    return [int(row) for row in reservoir.rows[:, 0, 0]]


@pytest.mark.parametrize("step", [4, 23, 300])
def test_reservoir_keeps_every_row_with_the_same_probability(step: int) -> None:
    rows, capacity, draws = 300, 30, 1000
    kept = np.zeros(rows)
    for seed in range(draws):
        np.add.at(kept, sample(capacity, rows, step, seed), 1)
    expected = draws * capacity / rows
    chi_squared = (np.square(kept - expected) / (expected * (1 - capacity / rows))).sum()  # about rows +- sqrt(2 rows)
    assert abs(chi_squared - rows) < 4 * np.sqrt(2 * rows)
    first, last = kept[:capacity].mean(), kept[-capacity:].mean()  # the rows that filled it, and the latest
    assert first == pytest.approx(expected, rel=0.06)
    assert last == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("step", [1, 7, 500])
def test_reservoir_holds_distinct_rows_and_no_more_than_its_capacity(step: int) -> None:
    kept = sample(20, 500, step, 0)
    assert len(kept) == len(set(kept)) == 20
    assert set(kept) <= set(range(500))


def test_reservoir_with_room_left_keeps_all_in_order() -> None:
    assert sample(20, 13, 5, 0) == list(range(13))


def test_reservoir_keeps_whole_rows() -> None:
    reservoir = Reservoir(4, np.random.default_rng(0))
    reservoir.add(numbered(0, 100))
    assert reservoir.rows.shape == (4, 2, 3)
    assert (reservoir.rows == reservoir.rows[:, :1, :1]).all()


def test_reservoir_that_never_got_a_row_is_empty() -> None:
    assert len(Reservoir(4, np.random.default_rng(0)).rows) == 0


def test_reservoir_of_the_same_seed_keeps_the_same_rows() -> None:
    assert sample(20, 500, 7, 3) == sample(20, 500, 7, 3)
    assert sample(20, 500, 7, 3) != sample(20, 500, 7, 4)
