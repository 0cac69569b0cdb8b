from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.judgement.contrast import USUAL, contrast, moments, over_a_second, standing_out, usual

Float32 = NDArray[np.float32]

BANDS = 8
WINDOW = 100


def quiet(cells: int = WINDOW) -> Float32:
    """Deviations of normal sound."""
    return (0.3 * np.random.default_rng(0).standard_normal((cells, BANDS))).astype(np.float32)


def test_contrast_of_an_excess_is_free_of_all_that_is_usual() -> None:
    loudness = np.random.default_rng(0).normal(0.0, 1.0, (200, BANDS))
    spectrum = np.linspace(-30.0, 30.0, BANDS)
    np.testing.assert_allclose(contrast(loudness + spectrum, "excess"), contrast(loudness, "excess"), atol=1e-9)
    assert np.abs(np.median(contrast(loudness, "excess"), axis=0)).max() < 1e-9
    assert not np.allclose(contrast(loudness + spectrum, "cnn14"), contrast(loudness, "cnn14"), atol=1.0)


def test_moments_are_means_of_the_five_largest_of_a_column() -> None:
    deviations = np.array([[1, 9, 3, 7, 5, -8, 0], [0, 0, 0, 0, 0, 0, 10], [-1, -2, -3, -4, -5, -6, -7]], np.float32)
    assert moments(deviations).tolist() == [5.0, 2.0, -3.0]


def test_moments_of_few_bands_are_means_of_all() -> None:
    assert moments(np.array([[1, 2, 6], [0, 0, -3]], np.float32)).tolist() == [3.0, -1.0]


def test_contrast_is_what_is_beyond_most_of_the_median_of_each_band() -> None:
    deviations = np.array([[1, 10], [2, -20], [9, 30]], np.float32)
    np.testing.assert_allclose(contrast(deviations, "cnn14"), deviations - USUAL * np.array([2.0, 10.0]))


def test_contrast_of_a_window_that_deviates_as_a_whole_is_a_part_of_it_and_a_knock_in_it_stays() -> None:
    deviations = quiet() + 8.0
    deviations[40:42] += 10.0
    assert moments(contrast(deviations, "cnn14"))[40:42].min() > 10.0 + 8.0 * (1 - USUAL) - 0.5
    assert np.delete(moments(contrast(deviations, "cnn14")), (40, 41)).max() < 8.0 * (1 - USUAL) + 1.0


def test_contrast_is_unknown_where_audio_was_lost_and_what_was_lost_is_not_usual() -> None:
    rest = quiet(60)
    holed = np.insert(rest, 20, np.full((40, 1), np.nan, np.float32), axis=0)
    np.testing.assert_allclose(np.delete(contrast(holed, "cnn14"), np.arange(20, 60), axis=0), contrast(rest, "cnn14"))
    assert np.isnan(contrast(holed, "cnn14")[20:60]).all()
    assert np.isnan(contrast(np.full((5, 3), np.nan, np.float32), "cnn14")).all()


def test_standing_out_counts_a_cell_for_more_beside_others() -> None:
    deviations = np.zeros((WINDOW, BANDS), np.float32)
    deviations[20, 3] = 8.0
    deviations[60] = 8.0
    found = standing_out(deviations, "cnn14")
    assert found[20, 3] == pytest.approx(8.0 + 8.0 / BANDS)
    assert found[20, 4] == pytest.approx(8.0 / BANDS)
    assert found[60] == pytest.approx(np.full(BANDS, 8.0 + 8.0))
    assert not np.delete(found, (20, 60), axis=0).any()


def test_over_a_second_is_the_mean_of_the_32_cells_around_each_of_those_that_there_are() -> None:
    deviations = np.random.default_rng(0).standard_normal((90, 3)).astype(np.float32)
    deviations[20:30] = np.nan
    found = over_a_second(deviations)
    for cell in range(90):
        around = deviations[max(0, cell - 16) : cell + 16]
        expected = np.full(3, np.nan) if 20 <= cell < 30 else np.nanmean(around.astype(np.float64), axis=0)
        np.testing.assert_allclose(found[cell], expected, rtol=1e-9)


@pytest.mark.parametrize("cells", [1, 2, 3, 4, 99, 100])
def test_usual_is_a_share_of_numpys_median_of_what_was_heard(cells: int) -> None:
    deviations = quiet(cells)
    holed = np.insert(deviations, cells // 2, np.full((3, 1), np.nan, np.float32), axis=0)
    medians = np.median(deviations.astype(np.float64), axis=0)
    np.testing.assert_array_equal(usual(holed, "cnn14"), USUAL * medians)
    np.testing.assert_array_equal(usual(deviations, "excess"), medians)
