from __future__ import annotations

from dataclasses import replace
from math import expm1, log, log1p
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.features.frontend import PANNS, band_edges_hz
from edge.judgement.evidence import evidence_of, surprise_of
from edge.judgement.head_scale import HeadScale
from edge.judgement.heads import STANDS_OUT, Heads
from edge.judgement.regions import find_regions

Float32 = NDArray[np.float32]

BANDS = 8
WINDOW = 100
FEATURES = {"cnn14": BANDS, "logmel": BANDS, "level": 1}
NAMES = ("cnn14_moment", "cnn14_sustained", "logmel_moment", "logmel_sustained", "level")

# As of normal sound with independent cells: a mean over many cells varies less than one cell.
SCALES = {
    "cnn14_moment": HeadScale(2.0, 0.5, 1.0, 1),
    "cnn14_sustained": HeadScale(0.2, 0.1, 0.0, WINDOW),
    "logmel_moment": HeadScale(2.5, 0.5, 1.5, 1),
    "logmel_sustained": HeadScale(0.3, 0.1, 0.1, WINDOW),
    "level": HeadScale(0.4, 0.2, 0.0, WINDOW),
    "cnn14_cell": HeadScale(3.0, 1.0, 2.0, 1),
    "logmel_cell": HeadScale(3.0, 1.0, 2.0, 1),
    "cnn14_second": HeadScale(0.6, 0.1, 0.4, 1),
    "logmel_second": HeadScale(0.6, 0.1, 0.4, 1),
}


def softplus(surprise: float) -> float:
    return log(1.0 + np.exp(surprise))


def quiet(cells: int = WINDOW, seed: int = 0) -> dict[str, Float32]:
    """Deviations of normal sound."""
    rng = np.random.default_rng(seed)
    return {feature: (0.3 * rng.standard_normal((cells, bands))).astype(np.float32) for feature, bands in FEATURES.items()}


def flat(value: float = 0.0, cells: int = WINDOW) -> dict[str, Float32]:
    return {feature: np.full((cells, bands), value, np.float32) for feature, bands in FEATURES.items()}


def score_of(heads: Heads, deviations: dict[str, Float32]) -> float:
    return float(surprise_of(np.asarray(sum(heads.evidence(deviations).values()))))


@pytest.mark.parametrize(
    "spoilt",
    [{"scale": 0.0}, {"scale": -1.0}, {"scale": np.nan}, {"scale": np.inf}, {"onset": np.nan}, {"centre": np.inf}, {"cells": 0}],
    ids=str,
)
def test_heads_with_a_scale_that_is_none_are_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a head of onset"):
        Heads(FEATURES, SCALES | {"level": replace(SCALES["level"], **spoilt)})


def test_heads_without_any_draw_all_the_same() -> None:
    """A bundle may be judged by the heads of steady sound alone."""
    drawn = {name: scale for name, scale in SCALES.items() if name.endswith(("_cell", "_second"))}
    none, all_of_them = Heads(FEATURES, drawn), Heads(FEATURES, SCALES)
    assert (len(none), len(all_of_them)) == (0, 5)
    assert none.evidence(quiet()) == {}
    np.testing.assert_array_equal(none.cell_surprise(quiet()), all_of_them.cell_surprise(quiet()))


def test_heads_without_what_the_map_is_drawn_on_are_refused() -> None:
    with pytest.raises(KeyError, match="logmel_second"):
        Heads(FEATURES, {name: scale for name, scale in SCALES.items() if name != "logmel_second"})


def test_evidence_of_a_window_worked_out_by_hand() -> None:
    deviations = flat()
    deviations["cnn14"][40] = [8.0, 6.0, 4.0, 3.0, 3.0, 0.0, 0.0, -4.0]  # one column; the mean of its five largest is 4.8
    deviations["level"][:] = 1.0
    parts = Heads(FEATURES, SCALES).evidence(deviations)
    assert tuple(parts) == NAMES
    surprises = {
        "cnn14_moment": (4.8 - 2.0) / 0.5,
        "cnn14_sustained": (20.0 / (WINDOW * BANDS) - 0.2) / 0.1,
        "logmel_moment": -2.5 / 0.5,
        "logmel_sustained": -0.3 / 0.1,
        "level": (1.0 - 0.4) / 0.2,
    }
    assert parts == pytest.approx({name: log1p(softplus(surprise)) for name, surprise in surprises.items()}, rel=1e-6)


def test_evidence_and_surprise_keep_the_order_of_everything_normal() -> None:
    """A file that is a little less normal than another has a higher score, though both are far below the threshold."""
    surprises = np.linspace(-30.0, 200.0, 2000)
    assert (np.diff(surprise_of(evidence_of(surprises))) > 0).all()
    assert surprise_of(evidence_of(np.array([-30.0]))) > 0
    heads = Heads(FEATURES, SCALES)
    scores = [score_of(heads, {feature: values + np.float32(shift) for feature, values in quiet().items()}) for shift in (-0.4, -0.2, 0.0)]
    assert 0.0 < scores[0] < scores[1] < scores[2] < 2.0


def test_evidence_with_heads_left_out_is_that_of_the_others() -> None:
    kept = ("cnn14_sustained", "logmel_moment")
    some = Heads(FEATURES, {name: scale for name, scale in SCALES.items() if name not in NAMES or name in kept})
    everything = Heads(FEATURES, SCALES).evidence(quiet())
    assert some.evidence(quiet()) == {name: everything[name] for name in kept}


def test_evidence_without_bands_is_one_mean_per_feature() -> None:
    scales = {"logmel": HeadScale(0.3, 0.1, 0.1, WINDOW), "level": SCALES["level"]}
    heads = Heads({"logmel": 1, "level": 1}, scales)
    parts = heads.evidence({"logmel": np.full((WINDOW, 1), 0.6, np.float32), "level": np.zeros((WINDOW, 1), np.float32)})
    assert parts == pytest.approx({"logmel": log1p(softplus(3.0)), "level": log1p(softplus(-2.0))}, rel=1e-5)


def test_evidence_of_half_a_window_is_judged_more_mildly() -> None:
    heads = Heads(FEATURES, SCALES)
    whole, half = (heads.evidence(flat(0.5, cells)) for cells in (WINDOW, WINDOW // 4))
    for name in ("cnn14_sustained", "logmel_sustained", "level"):
        assert half[name] < whole[name]
    assert half["cnn14_moment"] == whole["cnn14_moment"]


def test_evidence_where_audio_was_lost_is_that_of_the_rest() -> None:
    heads = Heads(FEATURES, SCALES)
    rest = quiet(60)
    holed = {feature: np.insert(values, 20, np.full((40, 1), np.nan, np.float32), axis=0) for feature, values in rest.items()}
    assert len(holed["level"]) == WINDOW
    assert heads.evidence(holed) == pytest.approx(heads.evidence(rest), rel=1e-6)
    assert heads.evidence(flat(np.nan)) == {}


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), cell=st.integers(0, WINDOW - 1), band=st.integers(0, BANDS - 1), size=st.floats(20.0, 2000.0))
def test_drawing_hottest_cell_is_the_unusual_one_and_has_the_score(seed: int, cell: int, band: int, size: float) -> None:
    heads, deviations = Heads(FEATURES, SCALES), quiet(seed=seed)
    deviations["cnn14"][cell, band] = deviations["logmel"][cell, band] = size
    score = score_of(heads, deviations)
    drawn = heads.drawing(deviations, score)
    assert drawn.shape == (WINDOW, BANDS)
    assert drawn.dtype == np.float32
    assert int(drawn.argmax()) == cell * BANDS + band
    assert drawn.max() == pytest.approx(score, rel=1e-5)
    assert (drawn >= 0).all()


def test_drawing_of_a_knock_is_as_sharp_as_its_cells() -> None:
    heads, deviations = Heads(FEATURES, SCALES), quiet()
    deviations["cnn14"][50:52] = deviations["logmel"][50:52] = 30.0
    drawn = heads.drawing(deviations, 10.0)
    assert (drawn[50:52] > 5.0).all()
    assert np.delete(drawn, (50, 51), axis=0).max() < 0.5


def test_drawing_of_a_steady_tone_shows_its_band_for_as_long_as_it_sounds() -> None:
    """No cell of it is unusual: 1.5 deviations are what noise reaches all the time."""
    heads, deviations = Heads(FEATURES, SCALES), quiet()
    deviations["cnn14"][30:80, 5] += 1.5
    deviations["logmel"][30:80, 5] += 1.5
    assert float(heads.cell_surprise(deviations).max()) < 1.0
    drawn = heads.drawing(deviations, 4.0)
    assert drawn.max() == pytest.approx(4.0)
    assert (drawn[40:70, 5] > 2.0).all()
    assert np.delete(drawn, 5, axis=1).max() < 0.5
    assert np.concatenate([drawn[:14, 5], drawn[96:, 5]]).max() < 0.5
    (region,) = find_regions(drawn, PANNS)
    assert [region.t0_s, region.t1_s] == pytest.approx([30 * 0.04, 80 * 0.04], abs=0.4)  # a mean over a second is no sharper
    assert (region.f_lo_hz, region.f_hi_hz) == band_edges_hz(PANNS, 5, 5)


def test_drawing_below_the_alarm_is_of_single_cells_only() -> None:
    heads, deviations = Heads(FEATURES, SCALES), quiet()
    deviations["cnn14"][30:80, 5] += 1.5
    deviations["logmel"][30:80, 5] += 1.5
    np.testing.assert_allclose(heads.drawing(deviations, 0.99), heads.cell_surprise(deviations) * 0.99 / STANDS_OUT, rtol=1e-5)


def test_drawing_of_a_window_in_which_nothing_stands_out_has_no_hot_cell_and_its_regions_are_bands() -> None:
    """A hiss in three bands, far below the noise of every second, that the mean over the window hears all the same."""
    heads = Heads(FEATURES, SCALES | {"cnn14_sustained": HeadScale(0.02, 0.005, 0.0, WINDOW)})
    deviations = {feature: values * np.float32(0.1) for feature, values in quiet().items()}
    deviations["cnn14"][:, 4:7] += 0.6
    deviations["logmel"][:, 4:7] += 0.6
    score = score_of(heads, deviations) / 4.0  # in units of a threshold of 4 nats
    drawn = heads.drawing(deviations, score)
    assert score > 1.5
    assert drawn.max() < 0.5
    (region,) = find_regions(drawn, PANNS)
    assert [region.t0_s, region.t1_s] == pytest.approx([0.0, 4.0])
    assert (region.f_lo_hz, region.f_hi_hz) == band_edges_hz(PANNS, 4, 6)


def test_drawing_and_cell_surprise_are_unknown_where_audio_was_lost_and_only_there() -> None:
    heads, deviations = Heads(FEATURES, SCALES), quiet()
    for values in deviations.values():
        values[30:45] = np.nan
    for drawn in (heads.drawing(deviations, 2.0), heads.cell_surprise(deviations)):
        np.testing.assert_array_equal(np.isnan(drawn).any(axis=1), (np.arange(WINDOW) >= 30) & (np.arange(WINDOW) < 45))
    assert np.isnan(heads.drawing(flat(np.nan), 0.0)).all()


def test_cell_surprise_is_by_the_mean_over_the_features() -> None:
    deviations = flat()
    deviations["cnn14"][3, 2], deviations["logmel"][3, 2] = 9.0, 5.0
    deviations["level"][:] = 1000.0  # it has no bands to show
    surprise = Heads(FEATURES, SCALES).cell_surprise(deviations)
    assert surprise.dtype == np.float32
    column = 14.0 / 2 / BANDS  # what it adds to each of its cells
    assert surprise[3, 2] == pytest.approx(softplus(((9.0 - 3.0) + (5.0 - 3.0)) / 2 + column), rel=1e-5)
    assert surprise[3, 3] == pytest.approx(softplus(column - 3.0), rel=1e-5)
    assert surprise[4, 3] == pytest.approx(softplus(-3.0), rel=1e-5)


def test_drawing_below_the_alarm_is_the_whole_score_for_a_cell_that_stands_out_only() -> None:
    heads = Heads(FEATURES, SCALES)
    deviations = flat()
    alone = BANDS / (BANDS + 1)  # its column adds an eighth of it
    deviations["cnn14"][9, 1] = deviations["logmel"][9, 1] = (3.0 + STANDS_OUT / 2) * alone
    assert float(heads.drawing(deviations, 0.6)[9, 1]) == pytest.approx(0.6 * softplus(STANDS_OUT / 2) / STANDS_OUT, rel=1e-5)
    deviations["cnn14"][9, 1] = deviations["logmel"][9, 1] = 3.0 + 2 * STANDS_OUT
    assert float(heads.drawing(deviations, 0.6)[9, 1]) == pytest.approx(0.6, rel=1e-5)


def test_heads_of_a_clip_judge_the_largest_deviation_and_draw_nothing_but_deviations() -> None:
    scales = {name: SCALES[name] for name in ("cnn14_cell", "cnn14_second")} | {"cnn14_largest": HeadScale(4.0, 2.0, 3.0, 1)}
    heads = Heads(FEATURES, scales, mode="clip")
    deviations = {feature: values + np.float32(5.0) for feature, values in quiet().items()}  # all of the clip deviates
    deviations["cnn14"][30, 2] = 20.0
    assert heads.evidence(deviations) == pytest.approx({"cnn14_largest": log1p(softplus((20.0 - 4.0) / 2.0))})
    surprise = heads.cell_surprise(deviations)
    assert surprise[30, 2] == pytest.approx(expm1(log1p(softplus(20.0 - 3.0)) / 2), rel=1e-5)
    order = np.argsort(deviations["cnn14"], axis=None)
    assert (np.diff(surprise.ravel()[order]) >= 0).all()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), score=st.floats(0.0, 0.999), size=st.floats(0.0, 40.0), lost=st.integers(0, WINDOW))
def test_columns_are_the_highest_cells_of_the_drawing(seed: int, score: float, size: float, lost: int) -> None:
    heads, deviations = Heads(FEATURES, SCALES), quiet(seed=seed)
    deviations["logmel"][WINDOW // 2, 3] += size
    for values in deviations.values():
        values[:lost] = np.nan
    highest = heads.drawing(deviations, score).max(axis=1)
    np.testing.assert_allclose(heads.columns(deviations, score), highest, rtol=1e-6)
    np.testing.assert_array_equal(heads.columns(deviations, score, heads.usual(deviations)), heads.columns(deviations, score))
