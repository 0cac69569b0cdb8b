from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrate.head_scale import LEAST_DEVIATION, LEAST_SCALE, FittedHeads, fit_heads
from edge.judgement.contrast import over_a_second
from edge.judgement.heads import Heads

Float32 = NDArray[np.float32]

BANDS = 6
FEATURES = {"cnn14": BANDS, "logmel": BANDS, "level": 1}
WINDOW = 40  # five blocks of 8 cells


def recording(cells: int, seed: int = 0) -> dict[str, Float32]:
    """Deviations of normal sound: skewed, as distances are, with mean 0 and deviation 1."""
    rng = np.random.default_rng(seed)
    return {feature: (rng.gamma(4.0, 0.5, (cells, bands)) - 2.0).astype(np.float32) for feature, bands in FEATURES.items()}


def contrasts(values: Float32) -> NDArray[np.float64]:
    """What is beyond three quarters of the median of each window of 40 cells, one after the other."""
    windows = values.astype(np.float64).reshape(-1, WINDOW, values.shape[1])
    return (windows - 0.75 * np.median(windows, axis=1, keepdims=True)).reshape(values.shape)


def moment_blocks(values: Float32) -> NDArray[np.float64]:
    """Of every 8 cells the largest mean contrast of five bands, the slow way."""
    means = [float(np.mean(sorted(row, reverse=True)[:5])) for row in contrasts(values)]
    return np.array([max(means[first : first + 8]) for first in range(0, len(means), 8)])


def test_fit_heads_one_block_or_window_in_ten_of_normal_sound_is_above_zero() -> None:
    one = recording(8 * 2000)
    fitted = fit_heads([one], FEATURES, WINDOW)
    windows = [{feature: values[8 * k : 8 * k + WINDOW] for feature, values in one.items()} for k in range(1996)]
    for feature in ("cnn14", "logmel"):
        surprise = fitted.scales[f"{feature}_moment"].surprise(moment_blocks(one[feature]), 1)
        assert (surprise > 0).mean() == pytest.approx(0.1, abs=0.002)
        assert surprise[surprise > 0].mean() == pytest.approx(1.0, rel=0.01)
    for feature, name in (("cnn14", "cnn14_sustained"), ("logmel", "logmel_sustained"), ("level", "level")):
        means = np.array([window[feature].mean(dtype=np.float64) for window in windows])
        surprise = fitted.scales[name].surprise(means, WINDOW)
        assert (surprise > 0).mean() == pytest.approx(0.1, abs=0.002)
        assert surprise[surprise > 0].mean() == pytest.approx(1.0, rel=0.01)


def test_fit_heads_centre_is_the_median_and_sustained_heads_know_over_how_many_cells() -> None:
    one = recording(8 * 500)
    scales = fit_heads([one], FEATURES, WINDOW).scales
    assert scales["cnn14_moment"].centre == pytest.approx(np.median(moment_blocks(one["cnn14"])))
    assert {name: scale.cells for name, scale in scales.items()} == {
        **dict.fromkeys(("cnn14_moment", "logmel_moment", "cnn14_cell", "logmel_cell", "cnn14_second", "logmel_second"), 1),
        **dict.fromkeys(("cnn14_sustained", "logmel_sustained", "level"), WINDOW),
    }


def test_fit_heads_cells_are_drawn_by_the_highest_of_each_block_and_seconds_by_their_means() -> None:
    one = recording(8 * 400)
    scales = fit_heads([one], FEATURES, WINDOW).scales
    cells = contrasts(one["logmel"])
    for kind, values in (("cell", cells + cells.mean(axis=1, keepdims=True)), ("second", over_a_second(one["logmel"]))):
        highest = values.reshape(400, -1).max(axis=1)
        assert scales[f"logmel_{kind}"].onset == pytest.approx(np.quantile(highest, 0.9))
        assert scales[f"logmel_{kind}"].centre == pytest.approx(np.median(highest))
    assert "level_cell" not in scales


def test_fit_heads_on_clips_that_are_all_short_knows_how_short() -> None:
    scales = fit_heads([recording(25, seed) for seed in range(30)], FEATURES, WINDOW).scales
    assert scales["cnn14_sustained"].cells == scales["level"].cells == 25


@pytest.mark.parametrize(("lengths", "cells"), [((40,), 8), ((160,), 20), ((80, 80, 80), 30), ((400,), WINDOW)])
def test_fit_heads_on_less_than_eight_windows_of_sound_fits_on_shorter_ones(lengths: tuple[int, ...], cells: int) -> None:
    """A scale fitted on one window would be a wild guess, and its threshold too."""
    fitted = fit_heads([recording(length, seed) for seed, length in enumerate(lengths)], FEATURES, WINDOW)
    assert {fitted.scales[name].cells for name in ("cnn14_sustained", "logmel_sustained", "level")} == {cells}
    assert fitted.window_cells == cells
    new = Heads(FEATURES, fitted.scales).evidence(recording(WINDOW, seed=99))
    assert max(new["cnn14_sustained"], new["logmel_sustained"], new["level"]) < 2.0  # of a whole window, which varies less


def test_fit_heads_of_recordings_that_are_no_whole_number_of_windows_judge_the_rest_in_the_last_window() -> None:
    one = recording(8 * 103)
    whole, last = {f: v[: 8 * 100] for f, v in one.items()}, {f: v[-WINDOW:] for f, v in one.items()}
    peaks = np.concatenate([moment_blocks(whole["cnn14"]), moment_blocks(last["cnn14"])[-3:]])
    scale = fit_heads([one], FEATURES, WINDOW).scales["cnn14_moment"]
    assert (scale.centre, scale.onset) == pytest.approx((np.median(peaks), np.quantile(peaks, 0.9)))


def test_fit_heads_windows_that_hold_too_little_sound_change_no_scale() -> None:
    one, other = recording(8 * 100), recording(8 * 100, seed=1)
    gap = 8 * 20
    holed = {
        feature: np.concatenate([values, np.full((gap, values.shape[1]), np.nan, np.float32), other[feature]])
        for feature, values in one.items()
    }
    found = fit_heads([holed], FEATURES, WINDOW)
    apart = fit_heads([one, other], FEATURES, WINDOW)
    for name in ("cnn14_moment", "logmel_moment", "cnn14_cell"):
        assert found.scales[name] == apart.scales[name]


def steady(value: float, cells: int) -> FittedHeads:
    return fit_heads([{feature: np.full((cells, bands), value, np.float32) for feature, bands in FEATURES.items()}], FEATURES, WINDOW)


@pytest.mark.parametrize("value", [0.0, 1e-9, -3.0, 6e4])
@pytest.mark.parametrize("cells", [1, 400])
def test_fit_heads_of_sound_that_never_changes_stay_finite_and_no_finer_than_the_least(value: float, cells: int) -> None:
    fitted = steady(value, cells)
    assert all(scale.scale == LEAST_DEVIATION for scale in fitted.scales.values())
    assert all(np.isfinite(said) for said in fitted.heads.evidence(recording(WINDOW)).values())


def test_fit_heads_scale_is_at_least_a_part_of_the_way_from_centre_to_onset() -> None:
    """Two values only: nothing lies above the 0.9 quantile, yet the next recording may well."""
    values = np.where(np.arange(400)[:, None] % 80 < 16, 4.0, 1.0) * np.ones((400, BANDS))  # two blocks in ten
    maps = {"cnn14": values.astype(np.float32), "logmel": values.astype(np.float32), "level": np.zeros((400, 1), np.float32)}
    scale = fit_heads([maps], FEATURES, WINDOW).scales["cnn14_moment"]
    assert (scale.centre, scale.onset, scale.scale) == pytest.approx((0.25, 3.25, LEAST_SCALE * 3.0))  # contrasts: 1 is usual


@pytest.mark.parametrize("wanted", [("logmel_moment",), ("level", "cnn14_sustained")])
def test_fit_heads_of_some_fits_them_alike_and_what_the_map_needs(wanted: tuple[str, ...]) -> None:
    one = recording(8 * 100)
    everything, some = fit_heads([one], FEATURES, WINDOW), fit_heads([one], FEATURES, WINDOW, wanted)
    drawn = {"cnn14_cell", "logmel_cell", "cnn14_second", "logmel_second"}
    assert set(some.scales) == {*wanted, *drawn}
    assert some.scales == {name: everything.scales[name] for name in some.scales}
    assert set(some.heads.evidence(one)) == set(wanted)
    assert some.heads.evidence(one) == Heads(FEATURES, some.scales).evidence(one)


def test_fit_heads_of_none_fits_what_the_map_needs() -> None:
    """A bundle may be judged by the heads of steady sound alone."""
    none = fit_heads([recording(8 * 100)], FEATURES, WINDOW, ())
    assert set(none.scales) == {"cnn14_cell", "logmel_cell", "cnn14_second", "logmel_second"}
    assert len(none.heads) == 0


def test_fit_heads_of_features_without_bands_need_no_map() -> None:
    one = {"logmel": recording(400)["level"], "level": recording(400, seed=1)["level"]}
    fitted = fit_heads([one], {"logmel": 1, "level": 1}, WINDOW)
    assert set(fitted.scales) == {"logmel", "level"}


def test_fit_heads_of_clips_fit_the_largest_deviation_of_blocks() -> None:
    one = recording(8 * 200)
    fitted = fit_heads([one], FEATURES, WINDOW, ("cnn14_largest",), "clip")
    blocks = one["cnn14"].reshape(200, -1).max(axis=1)
    scale = fitted.scales["cnn14_largest"]
    assert (scale.centre, scale.onset) == pytest.approx((np.median(blocks), np.quantile(blocks, 0.9)))
    assert fitted.scales["cnn14_cell"].onset == pytest.approx(scale.onset)  # no contrast
    assert set(fitted.heads.evidence(one)) == {"cnn14_largest"}


def learned(one: dict[str, Float32], first: int, last: int) -> dict[str, Float32]:
    """The same recording, of which a network knew all but the cells `first` .. `last` - 1; the level never learns."""
    values = {feature: values.copy() for feature, values in one.items()}
    for feature in ("cnn14", "logmel"):
        values[feature][:first] = values[feature][last:] = np.nan
    return values


def test_fit_heads_of_what_was_new_are_those_of_that_alone() -> None:
    """What a network learned from has no part in the scales of its feature."""
    one = recording(8 * 60)
    part = {feature: values[160:320] for feature, values in one.items()}
    scales = fit_heads([learned(one, 160, 320)], FEATURES, WINDOW).scales
    expected = fit_heads([part], FEATURES, WINDOW).scales
    for name in ("cnn14_moment", "cnn14_cell"):
        assert scales[name].onset == pytest.approx(expected[name].onset, rel=0.05, abs=0.05)
        assert scales[name].centre == pytest.approx(expected[name].centre, rel=0.05, abs=0.05)
