from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from calibrate.metrics.au_pro import au_pro, per_region_overlap
from edge.errors import UserError

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

# Two regions: two cells that touch at a corner, and one cell by itself. Nine cells are not true.
TRUTH = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], np.bool_)
MAP = np.array([[0.9, 0.8, 0.6, 0.5], [0.1, 0.4, 0.1, 0.7], [0.1, 0.1, 0.1, 0.1]], np.float32)


def slow_regions(truth: np.ndarray) -> list[set[tuple[int, int]]]:
    """Flood every region from its first cell."""
    left = {(t, b) for t in range(truth.shape[0]) for b in range(truth.shape[1]) if truth[t, b]}
    regions = []
    while left:
        region, border = set(), [min(left)]
        while border:
            t, b = border.pop()
            if (t, b) in left:
                left.remove((t, b))
                region.add((t, b))
                border += [(t + dt, b + db) for dt in (-1, 0, 1) for db in (-1, 0, 1)]
        regions.append(region)
    return regions


def slow_au_pro(maps: list[np.ndarray], truths: list[np.ndarray], limit: float) -> float:
    """Try every threshold, count every region, add up every piece of the curve."""
    thresholds = sorted({float(v) for m in maps for v in m.flat if v == v}, reverse=True)
    curve = [(0.0, 0.0)]
    for threshold in thresholds:
        false_alarms = normal = 0
        overlaps = []
        for m, truth in zip(maps, truths, strict=True):
            quiet = [float(v) for v, true in zip(m.flat, truth.flat, strict=True) if v == v and not true]
            normal += len(quiet)
            false_alarms += sum(v >= threshold for v in quiet)
            for region in slow_regions(truth):
                heard = [float(m[cell]) for cell in region if m[cell] == m[cell]]
                if heard:
                    overlaps.append(sum(v >= threshold for v in heard) / len(heard))
        curve.append((false_alarms / normal, sum(overlaps) / len(overlaps)))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            y_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
            area += (end - x0) * (y0 + y_end) / 2
    return area / limit


def test_au_pro_of_hand_computed_case_is_exact() -> None:
    # 0.9 covers half of the first of two regions: 1/4. 0.8 is a false alarm. 0.7 covers the second region: 3/4. 0.6 and 0.5 are false
    # alarms, which makes a third of the nine: more than 0.3.
    assert au_pro([MAP], [TRUTH]) == pytest.approx((1 / 9 * 0.25 + (0.3 - 1 / 9) * 0.75) / 0.3)


def test_per_region_overlap_of_hand_computed_case_is_exact() -> None:
    false_alarm_rates, overlaps = per_region_overlap([MAP], [TRUTH])
    assert false_alarm_rates * 9 == pytest.approx([0, 0, 1, 1, 2, 3, 3, 9])
    assert overlaps * 4 == pytest.approx([0, 1, 1, 3, 3, 3, 4, 4])


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(10))
def test_au_pro_of_random_maps_equals_slow_reference(seed: int, limit: float) -> None:
    random = np.random.default_rng(seed)
    maps = [np.round(random.random((int(random.integers(6, 20)), 7)), 1 + seed % 3).astype(np.float32) for _ in range(3)]  # with ties
    truths = [random.random(m.shape) < 0.25 for m in maps]
    maps[1][2:4] = np.nan  # not heard
    assert au_pro(maps, truths, limit) == pytest.approx(slow_au_pro(maps, truths, limit))


def test_au_pro_counts_a_small_region_as_much_as_a_large_one() -> None:
    truth = np.zeros((10, 10), np.bool_)
    truth[:5, :5] = truth[8, 8] = True
    only_large, only_small = np.zeros((10, 10), np.float32), np.zeros((10, 10), np.float32)
    only_large[:5, :5], only_small[8, 8] = 1.0, 1.0
    assert au_pro([only_large], [truth]) == pytest.approx(au_pro([only_small], [truth]))


def test_au_pro_of_a_region_that_was_partly_heard_counts_what_was_heard() -> None:
    maps = [np.array([[1.0, np.nan, np.nan, 0.0, 0.0]], np.float32), np.array([[np.nan, 0.0]], np.float32)]
    truths = [np.array([[1, 1, 1, 0, 0]], np.bool_), np.array([[1, 0]], np.bool_)]
    assert au_pro(maps, truths) == 1.0


def test_au_pro_of_the_truth_is_one_of_its_opposite_zero_and_of_a_flat_map_chance() -> None:
    truth_map = TRUTH.astype(np.float32)
    assert au_pro([truth_map], [TRUTH]) == pytest.approx(1.0)
    assert au_pro([-truth_map], [TRUTH]) == pytest.approx(0.0)
    assert au_pro([np.zeros_like(truth_map)], [TRUTH]) == pytest.approx(0.15)


def test_au_pro_of_two_million_cells_of_noise_is_chance() -> None:
    random = np.random.default_rng(0)
    maps = [random.random((125_000, 16), np.float32)]
    truths = [random.random((125_000, 16)) < 0.1]
    assert au_pro(maps, truths) == pytest.approx(0.15, abs=0.003)


@pytest.mark.parametrize("true", [False, True])
def test_au_pro_without_cells_of_both_kinds_is_refused(true: bool) -> None:
    with pytest.raises(UserError, match="anomaly maps: need at least one"):
        au_pro([MAP], [np.full_like(TRUTH, true)])


def test_au_pro_of_no_maps_is_refused() -> None:
    with pytest.raises(UserError, match="anomaly maps: need at least one"):
        au_pro([], [])


def test_au_pro_of_a_truth_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        au_pro([MAP], [TRUTH[:1]])
