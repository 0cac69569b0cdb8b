from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.features.frontend import BLOCK_CELLS, PANNS, band_edges_hz
from edge.judgement.fusion import Fused
from edge.judgement.head_scale import HeadScale
from edge.judgement.heads import Heads
from edge.judgement.painter import Painter, Picture, _core
from edge.judgement.statistic import Normal, Statistic
from edge.judgement.steady import QUESTIONS, STEADY_HEADS, Steady, WindowEvidence
from edge.judgement.timeline import Span
from edge.judgement.window_sound import WindowSound
from tests.steady_sound import LAYOUT, SteadyMachine

BANDS = 16
CELLS = 248
FEATURES = {"logmel": BANDS, "level": 1}
SCALES = {
    "logmel_moment": HeadScale(2.5, 0.5, 1.5, 1),
    "logmel_sustained": HeadScale(0.3, 0.1, 0.1, CELLS),
    "level": HeadScale(0.4, 0.2, 0.0, CELLS),
    "logmel_cell": HeadScale(3.0, 1.0, 2.0, 1),
    "logmel_second": HeadScale(0.6, 0.1, 0.4, 1),
}
SOUND = WindowSound(LAYOUT)
OCTAVE_HZ = (707.0, 1414.0)
KNOCK = (slice(100, 104), 12)  # in time and band, above the octave
IN_OCTAVE = (slice(100, 104), 4)
HIGHER_HZ, OCTAVE_BAND_HZ = band_edges_hz(PANNS, 12, 12), band_edges_hz(PANNS, 4, 4)


def mean(**what: Any) -> NDArray[np.float64]:
    return SOUND.mean(SteadyMachine(differ_db=0.0, **what).rows(CELLS // 8, 0))


def steady() -> Steady:
    """Heads that expect the very window that `mean` is of."""
    normal = {
        name: Normal(centre, np.full(len(centre), 0.5), None if name in ("level", "shape") else np.eye(len(centre)))
        for name, centre in SOUND.of_mean(mean()).items()
    }
    lengths = np.array([25.0, 250.0])
    statistics = {
        name: Statistic(question.kind, lengths, np.zeros(2), np.ones(2), 1e6, 0.5, question.number) for name, question in QUESTIONS.items()
    }
    return Steady(SOUND, normal, statistics)


PAINTER = Painter(Heads(FEATURES, SCALES), steady(), PANNS)
LOUDER = mean(band_hz=OCTAVE_HZ, band_db=3.0)


def span(*knocks: tuple[slice, int]) -> Span:
    """A window of quiet cells but for some."""
    deviations = {feature: np.zeros((CELLS, bands), np.float32) for feature, bands in FEATURES.items()}
    for knock in knocks:
        deviations["logmel"][knock] = 40.0
    return Span(1000, 1000 + CELLS, deviations, 0)


def picture(seen: Span, score: float, cells: float, average: float, of: NDArray[np.float64] = LOUDER) -> Picture:
    """Of a window whose two kinds of heads are surprised by so much."""
    shares = {"logmel_moment": 0.5, **{head: 0.5 * (head == "profile") for head in STEADY_HEADS}}
    fused = Fused(float(np.hypot(cells, average)), cells, average, shares)
    return PAINTER.picture(seen, fused, WindowEvidence(dict.fromkeys(STEADY_HEADS, 1.0), of), score)


def in_octave(found: Picture) -> list[float]:
    """The scores of its regions that are of the octave."""
    return [region.score for region in found.regions if region.f_lo_hz < OCTAVE_HZ[1] and region.f_hi_hz > OCTAVE_HZ[0]]


@pytest.mark.parametrize(("cells", "average"), [(30.0, 3.0), (30.0, 30.0), (20.0, 30.0)])
def test_picture_of_cells_that_alarm_by_themselves_has_the_score_of_the_window(cells: float, average: float) -> None:
    """Also where the average is more surprised: theirs would be 20 / 36 of 3."""
    found = picture(span(KNOCK), 3.0, cells, average)
    assert float(found.cells.max()) == pytest.approx(3.0)
    (knock,) = [region for region in found.regions if region.t1_s - region.t0_s < 2.0]
    assert knock.score == pytest.approx(3.0)
    assert (knock.f_lo_hz, knock.f_hi_hz) == HIGHER_HZ


@pytest.mark.parametrize(("score", "cells", "shown"), [(3.0, 10.1, True), (3.0, 9.9, False), (1.0, 10.1, False), (1.0, 31.0, True)])
def test_picture_has_regions_of_cells_where_their_part_of_the_score_is_an_alarm(score: float, cells: float, shown: bool) -> None:
    """Their part is `cells` of 30, or all of it where they are more surprised than the average."""
    average = float(np.sqrt(30.0**2 - cells**2)) if cells < 30.0 else 10.0
    found = picture(span(KNOCK), score, cells, average)
    assert any(region.t1_s - region.t0_s < 2.0 for region in found.regions) == shown
    assert bool((found.cells[:, 12] >= 1.0).any()) == shown


@pytest.mark.parametrize(("cells", "average", "its_score"), [(3.0, 30.0, 3.0), (30.0, 30.0, 3.0), (40.0, 30.0, 1.8), (30.0, 5.0, None)])
def test_picture_of_the_average_has_all_of_the_score_or_its_own_part_and_is_none_where_that_is_no_alarm(
    cells: float, average: float, its_score: float | None
) -> None:
    found = picture(span(KNOCK), 3.0, cells, average)
    assert in_octave(found) == ([] if its_score is None else [pytest.approx(its_score, rel=1e-3)])
    for region in found.regions:
        if region.f_hi_hz < 2000.0:
            assert (region.t0_s, region.t1_s) == pytest.approx((0.0, CELLS * PANNS.cell_s))


def test_picture_of_the_average_is_by_the_mean_that_was_judged() -> None:
    """Not by the sound of the window: that of the half minute may hold what the window does not."""
    seen = span()
    (octave,) = picture(seen, 2.0, 0.0, 30.0).regions
    assert octave.f_lo_hz == pytest.approx(OCTAVE_HZ[0], rel=0.15)
    assert octave.f_hi_hz == pytest.approx(OCTAVE_HZ[1], rel=0.15)
    (higher,) = picture(seen, 2.0, 0.0, 30.0, mean(band_hz=(2000.0, 4000.0), band_db=3.0)).regions
    assert higher.f_lo_hz == pytest.approx(2000.0, rel=0.15)
    assert picture(seen, 2.0, 0.0, 30.0, mean()).regions == ()


def test_picture_of_frequencies_that_cells_alarm_in_is_of_the_cells_alone() -> None:
    found = picture(span(IN_OCTAVE, KNOCK), 3.0, 30.0, 30.0)
    assert len(found.regions) == 2
    assert all(region.t1_s - region.t0_s < 2.0 for region in found.regions)
    assert {(region.f_lo_hz, region.f_hi_hz) for region in found.regions} == {OCTAVE_BAND_HZ, HIGHER_HZ}
    assert float(found.cells[:50, 4].max()) < 1.0  # nothing before the cells
    elsewhere = picture(span(KNOCK), 3.0, 30.0, 30.0)
    assert len(elsewhere.regions) == 2
    assert float(elsewhere.cells[:50, 4].min()) >= 1.0  # the average is all the time
    assert float(elsewhere.cells[:50, 12].max()) < 1.0


@pytest.mark.parametrize("score", [0.3, 0.99])
def test_picture_of_a_window_that_does_not_alarm_has_no_region(score: float) -> None:
    found = picture(span(KNOCK), score, 30.0, 30.0)
    assert found.regions == ()
    assert float(found.cells.max()) == pytest.approx(score)


def test_picture_without_heads_of_steady_sound_is_that_of_the_cells() -> None:
    plain = Painter(Heads(FEATURES, SCALES), None, PANNS).picture(span(KNOCK), Fused(30.0, 30.0, 0.0, {}), None, 3.0)
    (region,) = plain.regions
    assert region.score == pytest.approx(3.0)
    np.testing.assert_array_equal(plain.cells, picture(span(KNOCK), 3.0, 30.0, 0.0, mean()).cells)


def test_picture_of_lost_cells_stays_lost() -> None:
    seen = span(KNOCK)
    seen.deviations["logmel"][:20] = np.nan
    found = picture(seen, 3.0, 30.0, 30.0)
    assert np.isnan(found.cells[:20]).all()
    assert not np.isnan(found.cells[20:]).any()


@pytest.mark.parametrize(
    ("hot", "heard"),
    [
        (slice(50, 120), (50, 120)),
        (slice(50, 50 + BLOCK_CELLS), (50, 50 + BLOCK_CELLS)),
        (slice(50, 50 + BLOCK_CELLS - 1), (0, 250)),  # a click says nothing of a change that lasts
        (slice(0, 0), (0, 250)),
    ],
)
def test_core_is_when_cells_stand_out_or_all_of_the_window(hot: slice, heard: tuple[int, int]) -> None:
    cells = np.full((250, 2), 0.2, np.float32)
    cells[hot, 1] = 0.8
    cells[200, :] = np.nan
    assert _core(cells) == slice(*heard)


def test_regions_of_a_picture_hold_plain_numbers_which_every_encoder_takes() -> None:
    for cells, average in ((0.0, 30.0), (30.0, 30.0)):
        found = picture(span(KNOCK), 3.0, cells, average)
        assert found.regions
        for region in found.regions:
            assert [type(value) for value in (region.t0_s, region.t1_s, region.f_lo_hz, region.f_hi_hz, region.score)] == [float] * 5
