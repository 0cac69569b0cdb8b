from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.features.frontend import CLAP, PANNS, FrontEnd, band_edges_hz, mel_filterbank
from edge.features.logmel import offline_log_mel
from edge.judgement.regions import _components, find_regions, hot_level

Float32 = NDArray[np.float32]


def flood_fill(hot: NDArray[np.bool_]) -> set[frozenset[tuple[int, int]]]:
    todo = {(int(t), int(b)) for t, b in np.argwhere(hot)}
    groups = set()
    while todo:
        group, frontier = set(), {todo.pop()}
        while frontier:
            group |= frontier
            near = {(t + dt, b + db) for t, b in frontier for dt in (-1, 0, 1) for db in (-1, 0, 1)}
            frontier = near & todo
            todo -= frontier
        groups.add(frozenset(group))
    return groups


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), time=st.integers(1, 30), bands=st.integers(1, 16), density=st.floats(0.05, 0.95))
def test_components_equal_a_slow_flood_fill(seed: int, time: int, bands: int, density: float) -> None:
    hot = np.random.default_rng(seed).uniform(size=(time, bands)) < density
    found = [frozenset((int(t), int(b)) for t, b in cells) for cells in _components(hot)]
    assert sum(map(len, found)) == hot.sum()
    assert set(found) == flood_fill(hot)


def quiet_map() -> Float32:
    return np.full((250, 16), 0.3, np.float32)


@pytest.mark.parametrize("front_end", [PANNS, CLAP], ids=str)
def test_regions_are_in_seconds_and_hertz(front_end: FrontEnd) -> None:
    scores = quiet_map()
    scores[10:20, 3:5] = 2.0
    (region,) = find_regions(scores, front_end)
    assert region.t0_s == pytest.approx(10 * 1280 / front_end.sample_rate_hz)
    assert region.t1_s == pytest.approx(20 * 1280 / front_end.sample_rate_hz)
    assert (region.f_lo_hz, region.f_hi_hz) == band_edges_hz(front_end, 3, 4)
    assert region.score == 2.0


def test_regions_of_all_bands_span_the_front_end() -> None:
    (region,) = find_regions(np.full((5, 16), 3.0, np.float32), PANNS)
    assert [region.f_lo_hz, region.f_hi_hz] == pytest.approx([50.0, 14000.0])


@pytest.mark.parametrize("tone_hz", [120.0, 440.0, 997.0, 2500.0, 6000.0, 12_500.0])
def test_regions_band_of_a_tone_contains_its_frequency(tone_hz: float) -> None:
    tone = np.sin(2 * np.pi * tone_hz * np.arange(32_000) / 32_000).astype(np.float32)
    energy = 10 ** (offline_log_mel(tone, PANNS)[40] / 10)  # (mel,)
    scores = quiet_map()
    scores[100:150, int(energy.argmax()) // 4] = 2.0
    (region,) = find_regions(scores, PANNS)
    assert region.f_lo_hz < tone_hz < region.f_hi_hz


def test_band_edges_hold_all_that_their_filters_hear() -> None:
    bins_hz = np.arange(513) * 32000 / 1024
    for band in range(16):
        heard = bins_hz[mel_filterbank(PANNS)[:, 4 * band : 4 * band + 4].sum(axis=1) > 0]
        f_lo_hz, f_hi_hz = band_edges_hz(PANNS, band, band)
        assert f_lo_hz <= heard.min()
        assert heard.max() <= f_hi_hz


def test_regions_come_loudest_first_and_at_most_eight() -> None:
    scores = quiet_map()
    for index in range(12):
        scores[20 * index : 20 * index + 3, 5] = 1.5 + 0.1 * index
    regions = find_regions(scores, PANNS)
    assert [region.score for region in regions] == pytest.approx([2.6, 2.5, 2.4, 2.3, 2.2, 2.1, 2.0, 1.9])


def test_regions_of_a_loud_fault_leave_out_its_halo() -> None:
    scores = quiet_map()
    scores[50:110, 2:9] = 1.5
    scores[70:80, 4:6] = 20.0
    (region,) = find_regions(scores, PANNS)
    assert [region.t0_s, region.t1_s] == pytest.approx([2.8, 3.2])
    assert (region.f_lo_hz, region.f_hi_hz) == band_edges_hz(PANNS, 4, 5)


def test_regions_lost_cells_are_in_none() -> None:
    scores = quiet_map()
    scores[10:14, 3] = 2.0
    scores[14:20] = np.nan
    scores[20:24, 3] = 2.0
    first, second = sorted(find_regions(scores, PANNS), key=lambda region: region.t0_s)
    assert first.t1_s == pytest.approx(14 * 0.04)
    assert second.t0_s == pytest.approx(20 * 0.04)
    assert all(np.isfinite([first.score, second.score]))


def test_regions_of_a_window_in_which_no_cell_stands_out_are_bands_over_all_of_it() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.0, 0.2, (250, 16)).astype(np.float32)
    scores[:, 5:7] += 0.4
    scores[:, 12] += 0.7
    scores[40:50] = np.nan
    loudest, other = find_regions(scores, PANNS)
    assert (loudest.f_lo_hz, loudest.f_hi_hz) == band_edges_hz(PANNS, 12, 12)
    assert (other.f_lo_hz, other.f_hi_hz) == band_edges_hz(PANNS, 5, 6)
    assert [loudest.t0_s, loudest.t1_s, other.t0_s, other.t1_s] == pytest.approx([0.0, 10.0] * 2)
    assert loudest.score == pytest.approx(float(np.nanmean(scores[:, 12])))


def test_regions_of_a_window_that_is_the_same_everywhere_are_all_of_it() -> None:
    (region,) = find_regions(np.full((50, 16), 0.4, np.float32), PANNS)
    assert [region.t0_s, region.t1_s, region.f_lo_hz, region.f_hi_hz] == pytest.approx([0.0, 2.0, 50.0, 14000.0])


def test_regions_core_of_a_fault_just_above_the_threshold_is_what_nearly_reaches_it() -> None:
    scores = quiet_map()
    scores[30:60, 7] = 0.95
    scores[40, 7] = 1.02
    (region,) = find_regions(scores, PANNS)
    assert [region.t0_s, region.t1_s] == pytest.approx([1.2, 2.4])


@pytest.mark.parametrize(("highest", "level"), [(50.0, 1.0), (1.05, 0.945), (0.8, 0.72), (0.3, 0.5)])
def test_hot_level_is_the_threshold_or_a_little_below_the_highest_cell_but_not_the_noise(highest: float, level: float) -> None:
    scores = np.minimum(quiet_map(), highest)
    scores[3, 3] = highest
    assert hot_level(scores) == pytest.approx(level)
