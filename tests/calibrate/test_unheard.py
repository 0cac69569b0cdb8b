from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrate.head_scale import FittedHeads, fit_heads
from calibrate.steady import FittedSteady
from calibrate.unheard import UnheardSurprise, fit_units, unheard_surprise
from edge.judgement.evidence import surprise_of
from edge.judgement.fusion import ONCE_A_WEEK, Units
from edge.judgement.heads import Heads, Mode
from edge.judgement.tail_fit import fit_tail

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

BANDS = 6
FEATURES = {"cnn14": BANDS, "logmel": BANDS, "level": 1}
WINDOW = 40  # five blocks of 8 cells
STEP_S = 0.32


def recording(cells: int, seed: int = 0) -> dict[str, Float32]:
    """Deviations of normal sound: skewed, as distances are, with mean 0 and deviation 1."""
    rng = np.random.default_rng(seed)
    return {feature: (rng.gamma(4.0, 0.5, (cells, bands)) - 2.0).astype(np.float32) for feature, bands in FEATURES.items()}


def judged_by(fitted: FittedHeads, one: dict[str, Float32], mode: Mode = "stream") -> list[float]:
    """What `Heads` makes of each window of a recording that ends with a block."""
    heads, cells = Heads(FEATURES, fitted.scales, mode), len(one["level"])
    windows = [slice(8 * k, 8 * k + WINDOW) for k in range(max(0, cells - WINDOW) // 8 + 1)]
    said = [heads.evidence({feature: values[window] for feature, values in one.items()}) for window in windows]
    return [float(surprise_of(np.asarray(sum(parts.values())))) for parts in said]


class Told(FittedSteady):
    """Says of a window which one it is; and of each dB that a band is louder, so many nats."""

    def __init__(self) -> None:
        """It was fitted on nothing."""

    def of(self, recordings: Collection[int]) -> Told:
        return self

    def held_out(self, recording: int, first_block: int, last_block: int) -> dict[str, float]:
        return {"level": 10_000.0 * recording, "profile": 100.0 * first_block + last_block}


def test_unheard_surprise_of_each_window_is_what_the_heads_make_of_it() -> None:
    """The threshold is set on the very numbers that `Heads` gives."""
    recordings = [recording(8 * 60, seed) for seed in range(3)]
    fitted = fit_heads(recordings, FEATURES, WINDOW)
    found = unheard_surprise(fitted, recordings, None)
    assert [one.recording for one in found] == [0, 1, 2]
    for one, unheard in zip(recordings, found, strict=True):
        assert unheard.first_blocks == list(range(60 - 5 + 1))
        assert unheard.cells.tolist() == pytest.approx(judged_by(fitted, one), rel=1e-6)
        assert unheard.steady.tolist() == [0.0] * 56


def test_unheard_surprise_of_windows_with_a_gap_is_what_the_heads_make_of_them() -> None:
    """Their means are over fewer cells, and judged more mildly, as they will be when they are scored."""
    one = recording(8 * 60)
    for values in one.values():
        values[160:172] = np.nan
    fitted = fit_heads([one], FEATURES, WINDOW)
    (found,) = unheard_surprise(fitted, [one], None)
    assert found.cells.tolist() == pytest.approx(judged_by(fitted, one), rel=1e-6)


@pytest.mark.parametrize("cells", [1, 7, 20, 39, 40, 47])
def test_unheard_surprise_of_a_recording_no_longer_than_a_window_is_of_one_of_its_own_length(cells: int) -> None:
    long, short = recording(8 * 200), recording(cells, seed=1)
    fitted = fit_heads([long, short], FEATURES, WINDOW)
    found = unheard_surprise(fitted, [long, short], None)[1]
    assert found.first_blocks == [0]
    assert found.cells.tolist() == pytest.approx(judged_by(fitted, short), rel=1e-6)


@pytest.mark.parametrize(("lengths", "cells"), [((40,), 8), ((160,), 20), ((80, 80, 80), 30), ((400,), WINDOW)])
def test_unheard_surprise_on_less_than_eight_windows_of_sound_is_of_shorter_ones(lengths: tuple[int, ...], cells: int) -> None:
    recordings = [recording(length, seed) for seed, length in enumerate(lengths)]
    found = unheard_surprise(fit_heads(recordings, FEATURES, WINDOW), recordings, None)
    assert [len(one.cells) for one in found] == [(length - cells) // 8 + 1 for length in lengths]


def test_unheard_surprise_leaves_windows_out_that_hold_too_little_sound() -> None:
    """The daemon gives no score to a window of which less than half was heard."""
    one = recording(8 * 220)
    for values in one.values():
        values[8 * 100 : 8 * 120] = np.nan
    (found,) = unheard_surprise(fit_heads([one], FEATURES, WINDOW), [one], None)
    assert found.first_blocks == [*range(98), *range(118, 216)]  # three of five blocks or more of the others lie within the gap
    assert np.isfinite(found.cells).all()


@pytest.mark.parametrize("value", [0.0, 1e-9, -3.0, 6e4])
@pytest.mark.parametrize("cells", [1, 400])
def test_unheard_surprise_of_sound_that_never_changes_stays_finite(value: float, cells: int) -> None:
    same = {feature: np.full((cells, bands), value, np.float32) for feature, bands in FEATURES.items()}
    (found,) = unheard_surprise(fit_heads([same], FEATURES, WINDOW), [same], None)
    assert len(found.cells) == max(1, (cells - WINDOW) // 8 + 1)
    assert np.isfinite(found.surprise(fit_units([found], STEP_S))).all()


def learned(one: dict[str, Float32], first: int, last: int) -> dict[str, Float32]:
    """The same recording, of which a network knew all but the cells `first` .. `last` - 1; the level never learns."""
    values = {feature: values.copy() for feature, values in one.items()}
    for feature in ("cnn14", "logmel"):
        values[feature][:first] = values[feature][last:] = np.nan
    return values


@pytest.mark.parametrize(("mode", "heads"), [("stream", None), ("clip", ("cnn14_largest",))])
def test_unheard_surprise_counts_no_window_of_which_less_than_half_was_new_to_the_detector(
    mode: Mode, heads: tuple[str, ...] | None
) -> None:
    part, whole, none = (recording(8 * 60, seed) for seed in range(3))
    recordings = [learned(part, 160, 320), learned(none, 0, 0), whole]
    fitted = fit_heads(recordings, FEATURES, WINDOW, heads, mode)
    found = unheard_surprise(fitted, recordings, Told())
    assert [one.recording for one in found] == [0, 2]  # of the second nothing was new
    assert found[0].first_blocks == list(range(18, 38))  # windows of 5 blocks, 20 .. 39 of which were new: 3 of them or more
    assert found[1].first_blocks == list(range(56))
    assert found[1].cells.tolist() == pytest.approx(judged_by(fitted, whole, mode), rel=1e-6)


def test_unheard_surprise_asks_the_heads_of_steady_sound_of_the_same_windows() -> None:
    recordings = [recording(8 * 40, seed) for seed in range(2)]
    found = unheard_surprise(fit_heads(recordings, FEATURES, WINDOW), recordings, Told())
    for index, one in enumerate(found):
        assert [one.blocks(window) for window in range(36)] == [(first, first + 5) for first in range(36)]
        assert one.steady.tolist() == [10_000.0 * index + 100.0 * first + first + 5 for first in range(36)]


def test_surprise_of_both_kinds_is_the_root_of_their_squares_in_their_units() -> None:
    one = UnheardSurprise(0, [0, 1, 2], 5, np.array([3.0, 8.0, 0.0]), np.array([4.0, 0.0, 5.0]))
    assert one.surprise(Units()).tolist() == [5.0, 8.0, 5.0]
    assert one.surprise(Units(cells=2.0, steady=0.5)).tolist() == [np.hypot(1.5, 8.0), 4.0, 10.0]


def series(cells: Float64, steady: Float64) -> UnheardSurprise:
    return UnheardSurprise(0, list(range(len(cells))), 31, cells, steady)


def test_fit_units_bring_a_restless_kind_to_what_a_sum_of_heads_reaches_once_a_week_and_leave_a_calm_one() -> None:
    rng = np.random.default_rng(0)
    restless, calm = 4.0 * rng.exponential(size=20_000), rng.exponential(size=20_000)
    unheard = [series(restless[part], calm[part]) for part in (slice(0, 12_000), slice(12_000, None))]
    units = fit_units(unheard, STEP_S)
    assert units.cells > 1.5
    assert units.steady == 1.0
    brought, left = (fit_tail([one[:12_000], one[12_000:]], STEP_S).surprise_at(1.0) for one in (restless / units.cells, calm))
    assert brought == pytest.approx(ONCE_A_WEEK, rel=0.25)  # the prior of the scale is in nats
    assert left < 0.9 * ONCE_A_WEEK
    assert fit_units([series(calm, restless)], STEP_S).cells == 1.0


@pytest.mark.parametrize("silent", ["cells", "steady"])
def test_fit_units_of_a_kind_that_there_is_not_is_one(silent: str) -> None:
    said, none = 4.0 * np.random.default_rng(0).exponential(size=2000), np.zeros(2000)
    units = fit_units([series(none, said) if silent == "cells" else series(said, none)], STEP_S)
    units.check()
    assert getattr(units, silent) == 1.0
    assert max(units.cells, units.steady) > 1.5
