from __future__ import annotations

import numpy as np
import pytest

from edge.features.cell_averages import AverageLayout
from edge.features.frontend import DCASE, PANNS, FrontEnd, mels_below
from edge.features.low_bands import low_edges_hz
from edge.judgement.steady import BandsApart
from edge.judgement.steady_regions import STANDS_OUT, steady_drawing, steady_regions

LAYOUT = AverageLayout(PANNS, mels_below(PANNS, 14000.0))
LOW = len(LAYOUT.low_centres_hz)


def apart(bands: dict[int, float], low: dict[int, float] | None = None, layout: AverageLayout = LAYOUT) -> BandsApart:
    """What is far from normal, by the number of the band; the rest is half a standard deviation from it."""
    found = BandsApart(np.full(layout.bands, 0.5), np.full(len(layout.low_centres_hz), 0.5))
    for band, units in bands.items():
        found.bands[band] = units
    for band, units in (low or {}).items():
        found.low[band] = units
    return found


def test_runs_of_bands_that_stand_out_are_regions_over_all_of_the_window_the_farthest_first() -> None:
    found = steady_regions(apart({20: 3.0, 21: 4.0, 22: 3.0, 40: 8.0}), LAYOUT, 2.0, (0.0, 10.0))
    assert [(region.t0_s, region.t1_s) for region in found] == [(0.0, 10.0)] * 2
    first, second = found
    assert (first.f_lo_hz, first.f_hi_hz) == tuple(LAYOUT.edges_hz[40])
    assert (second.f_lo_hz, second.f_hi_hz) == (LAYOUT.edges_hz[21, 0], LAYOUT.edges_hz[21, 1])  # 3 is less than half of 8
    assert (first.score, second.score) == pytest.approx((2.0, 1.0))


def test_neighbouring_bands_are_one_region_with_the_score_of_its_farthest() -> None:
    (found,) = steady_regions(apart({20: 3.0, 21: 4.0, 22: 3.0}), LAYOUT, 2.0, (0.0, 10.0))
    assert (found.f_lo_hz, found.f_hi_hz) == (LAYOUT.edges_hz[20, 0], LAYOUT.edges_hz[22, 1])
    assert found.score == pytest.approx(2.0)


@pytest.mark.parametrize("ends", [(0, 1), (LAYOUT.bands - 2, LAYOUT.bands - 1)])
def test_regions_reach_the_ends_of_what_is_heard(ends: tuple[int, int]) -> None:
    (found,) = steady_regions(apart(dict.fromkeys(ends, 5.0)), LAYOUT, 1.5, (0.0, 1.0))
    assert (found.f_lo_hz, found.f_hi_hz) == (LAYOUT.edges_hz[ends[0], 0], LAYOUT.edges_hz[ends[1], 1])


def test_below_500_hz_the_finer_bands_tell_where() -> None:
    edges = low_edges_hz(PANNS)
    mels = [band for band in range(LAYOUT.bands) if LAYOUT.edges_hz[band, 1] <= edges[-1]]
    (found,) = steady_regions(apart({mels[2]: 6.0}, {8: 7.0, 9: 5.0}), LAYOUT, 1.5, (0.0, 10.0))
    assert (found.f_lo_hz, found.f_hi_hz) == (edges[8], edges[10])
    assert found.f_hi_hz - found.f_lo_hz < 30.0
    higher = steady_regions(apart({mels[2]: 6.0, 40: 6.0}, {8: 7.0}), LAYOUT, 1.5, (0.0, 10.0))
    assert [region.f_lo_hz for region in higher] == [edges[8], LAYOUT.edges_hz[40, 0]]


def test_below_500_hz_the_mels_tell_where_the_finer_bands_do_not() -> None:
    (found,) = steady_regions(apart({2: 6.0}, {8: 2.5}), LAYOUT, 1.5, (0.0, 10.0))  # less than half as far
    assert (found.f_lo_hz, found.f_hi_hz) == tuple(LAYOUT.edges_hz[2])


def test_where_no_band_stands_out_the_farthest_alone_is_a_region() -> None:
    (found,) = steady_regions(apart({20: STANDS_OUT - 0.01, 30: STANDS_OUT - 0.02}), LAYOUT, 1.5, (0.0, 10.0))
    assert found.score == pytest.approx(1.5)
    assert found.f_lo_hz == pytest.approx(LAYOUT.edges_hz[20, 0])
    (found,) = steady_regions(apart({20: STANDS_OUT}), LAYOUT, 1.5, (0.0, 10.0))
    assert found.score == pytest.approx(1.5)


def test_bands_that_are_as_usual_are_no_region() -> None:
    usual = BandsApart(np.zeros(LAYOUT.bands), np.zeros(len(LAYOUT.low_centres_hz)))
    assert steady_regions(usual, LAYOUT, 1.5, (0.0, 10.0)) == ()
    assert steady_drawing(usual, LAYOUT, 1.5, 16).tolist() == [0.0] * 16


@pytest.mark.parametrize(("front_end", "bands"), [(PANNS, 16), (DCASE, 32)])
def test_drawing_has_the_score_of_the_farthest_band_where_it_lies_on_the_map(front_end: FrontEnd, bands: int) -> None:
    layout = AverageLayout(front_end, front_end.mel_bands)
    drawn = steady_drawing(apart({41: 3.9, 42: 8.0, 12: 5.0, 30: 1.0}, layout=layout), layout, 2.0, bands)
    assert drawn.dtype == np.float32
    places = [band * layout.mels_per_band // 4 for band in (12, 42)]
    assert np.flatnonzero(drawn).tolist() == places
    assert drawn[places].tolist() == pytest.approx([1.25, 2.0])


def test_drawing_of_what_only_the_finer_bands_hear_is_in_proportion_to_these() -> None:
    drawn = steady_drawing(apart({2: 5.0}, {8: 10.0}), LAYOUT, 2.0, 16)
    assert drawn[0] == pytest.approx(1.0)
    assert steady_drawing(apart({2: 4.9}, {8: 10.0}), LAYOUT, 2.0, 16).max() == 0.0
