from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.judgement.statistic import PRIOR_WINDOWS, Kind, Normal, Statistic, student_nats

FREEDOMS = (5.0, 7.5, 14.0, 40.0, 100.0, 300.0)
LONG = np.array([25.0, 75.0, 250.0])


def statistic(kind: Kind = "whitened", recordings: float = 10.0, number: int = 0) -> Statistic:
    return Statistic(kind, LONG, np.array([12.0, 10.0, 9.0]), np.array([3.0, 2.0, 1.0]), recordings, 0.8, number)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_student_nats_are_minus_the_logarithm_of_students_tail(freedom: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    for units in np.linspace(-3.0, 40.0, 87):
        expected = -float(stats.t.logsf(units, freedom))
        assert student_nats(float(units), freedom) == pytest.approx(expected, rel=0.04, abs=0.01), units


@pytest.mark.parametrize("freedom", [1.0, 3.0, *FREEDOMS, 1e4])
def test_student_nats_grow_with_every_unit_and_never_overflow(freedom: float) -> None:
    units = np.concatenate([-np.geomspace(1e6, 1e-3, 200), [0.0], np.geomspace(1e-3, 1e6, 4000)])
    nats = np.array([student_nats(float(one), freedom) for one in units])
    assert np.isfinite(nats).all()
    assert (np.diff(nats[units > -5.0]) > 0).all()
    assert (np.diff(nats) >= 0).all()
    assert nats[units == 0.0] == pytest.approx(math.log(2.0))
    assert nats[0] < 0.01


def test_student_nats_continue_smoothly_where_double_precision_ends() -> None:
    """Near the normal distribution, where 25 standard deviations are 316 nats."""
    units = np.linspace(24.9, 25.1, 201)
    steps = np.diff([student_nats(float(one), 1e6) for one in units])
    assert steps.min() > 0.9 * np.median(steps)
    assert steps.max() < 1.1 * np.median(steps)


def test_student_nats_of_few_recordings_are_modest_and_of_many_those_of_a_normal_distribution() -> None:
    far = [student_nats(30.0, freedom) for freedom in FREEDOMS]
    assert far == sorted(far)
    assert far[0] < 20.0
    assert student_nats(8.0, 1e7) == pytest.approx(-math.log(0.5 * math.erfc(8.0 / math.sqrt(2.0))), rel=1e-3)


@given(
    value=st.floats(-1e6, 1e6), cells=st.integers(1, 10_000), recordings=st.floats(1.0, 1e6), kind=st.sampled_from(["signed", "largest"])
)
def test_nats_of_anything_are_finite_and_not_much_below_nothing(value: float, cells: int, recordings: float, kind: Any) -> None:
    nats = statistic(kind, recordings).nats(value, cells)
    assert math.isfinite(nats)
    assert nats >= -1e-9


def test_nats_are_by_the_mean_and_deviation_of_windows_as_long() -> None:
    judged = statistic(recordings=10.0)
    units = math.sqrt(1.0 + 0.1)  # the mean is known from ten recordings only
    freedom = 10 - 1 + PRIOR_WINDOWS
    assert judged.nats(9.0 + 4.0 * units, 250) == pytest.approx(student_nats(4.0, freedom))
    assert judged.nats(12.0 + 3.0 * 4.0 * units, 25) == pytest.approx(student_nats(4.0, freedom))
    between = round(math.sqrt(25 * 75))  # halfway, by the logarithm
    assert judged.nats(11.0 + 2.5 * 4.0 * units, between) == pytest.approx(student_nats(4.0, freedom), rel=0.01)
    assert judged.nats(13.0, 10_000) == judged.nats(13.0, 250)  # no longer one was measured


@pytest.mark.parametrize("cells", [1, 4, 24])
def test_nats_of_a_window_shorter_than_any_that_was_measured_are_as_those_of_noise(cells: int) -> None:
    judged, root = statistic(), math.sqrt(25 / cells)
    assert judged.nats(root * 18.0, cells) == pytest.approx(judged.nats(18.0, 25))
    assert judged.nats(18.0, cells) <= judged.nats(18.0, 25)


def test_nats_of_a_signed_number_are_alike_on_both_sides_and_of_the_chance_of_either() -> None:
    judged = Statistic("signed", LONG, np.zeros(3), np.ones(3), 10.0, 1.0)
    assert judged.nats(-5.0, 250) == judged.nats(5.0, 250)
    assert judged.nats(0.0, 250) == pytest.approx(0.0)
    one_sided = Statistic("whitened", LONG, np.zeros(3), np.ones(3), 10.0, 1.0)
    assert judged.nats(5.0, 250) == pytest.approx(one_sided.nats(5.0, 250) - math.log(2.0))
    assert one_sided.nats(-5.0, 250) < 0.01  # nearer than is usual is no surprise


def test_value_of_each_kind() -> None:
    vector = np.array([1.0, -7.0, 3.0, 0.0, -4.0, 2.0, 5.0])
    assert statistic("signed", number=1).value(vector, None) == -7.0
    assert statistic("largest", number=5).value(vector, None) == pytest.approx((7 + 5 + 4 + 3 + 2) / 5)
    assert statistic("largest", number=2).value(vector, None) == 6.0
    assert statistic("largest", number=5).value(vector[:2], None) == 4.0  # of fewer, all
    rng = np.random.default_rng(0)
    whitening = rng.standard_normal((7, 7))
    inverse = whitening @ whitening.T
    assert statistic("whitened").value(vector, whitening) == pytest.approx(math.sqrt(vector @ inverse @ vector))


def test_statistic_is_loaded_as_it_was_stored() -> None:
    stored = statistic("signed", number=1)
    loaded = Statistic.load("power", "signed", {**stored.arrays("power")}, 1)
    for name in ("lengths", "centres", "spreads"):
        np.testing.assert_allclose(getattr(loaded, name), getattr(stored, name), rtol=1e-6)
    assert (loaded.kind, loaded.number, loaded.recordings) == ("signed", 1, 10.0)
    assert loaded.weight == pytest.approx(0.8)


def test_normal_is_loaded_as_it_was_stored() -> None:
    rng = np.random.default_rng(0)
    stored = Normal(rng.normal(-30.0, 5.0, 6), rng.uniform(0.5, 2.0, 6), rng.standard_normal((6, 6)))
    loaded = Normal.load("profile", stored.arrays("profile"), 6)
    np.testing.assert_allclose(loaded.centre, stored.centre, rtol=1e-6)
    np.testing.assert_allclose(loaded.scale, stored.scale, rtol=1e-6)
    assert loaded.whitening is not None
    assert stored.whitening is not None
    np.testing.assert_allclose(loaded.whitening, stored.whitening, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(loaded.standardised(np.zeros(6)), -stored.centre / stored.scale, rtol=1e-5)
    plain = Normal(stored.centre, stored.scale)
    assert set(plain.arrays("level")) == {"level_centre", "level_scale"}
    assert Normal.load("level", plain.arrays("level"), 6).whitening is None


TABLE = np.array([[25.0, 1.0, 2.0], [250.0, 1.0, 1.0]], np.float32)


@pytest.mark.parametrize(
    "damage",
    [
        {"power_table": None},
        {"power_trust": None},
        {"power_table": TABLE[:, :2]},
        {"power_table": TABLE[::-1]},  # lengths that fall
        {"power_table": TABLE[[0, 0]]},
        {"power_table": np.array([[0.0, 1.0, 1.0]], np.float32)},
        {"power_table": TABLE * np.array([1.0, 1.0, 0.0], np.float32)},  # nothing varies
        {"power_table": np.full((2, 3), np.nan, np.float32)},
        {"power_table": np.array([["a", "b", "c"]])},
        {"power_trust": np.array([0.0, 0.5], np.float32)},
        {"power_trust": np.array([3.0, 1.5], np.float32)},
        {"power_trust": np.array([3.0, -0.1], np.float32)},
        {"power_trust": np.array([np.inf, 0.5], np.float32)},
        {"power_trust": np.ones(3, np.float32)},
    ],
)
def test_statistic_of_damaged_arrays_is_refused(damage: dict[str, NDArray[Any] | None]) -> None:
    whole: dict[str, Any] = {"power_table": TABLE, "power_trust": np.array([3.0, 0.5], np.float32)}
    Statistic.load("power", "signed", whole)
    arrays = {name: array for name, array in (whole | damage).items() if array is not None}
    with pytest.raises((KeyError, ValueError)):
        Statistic.load("power", "signed", arrays)


def test_statistic_without_a_length_is_refused() -> None:
    """There is nothing to judge by."""
    arrays: dict[str, NDArray[Any]] = {"power_table": np.zeros((0, 3), np.float32), "power_trust": np.array([3.0, 0.5], np.float32)}
    with pytest.raises((KeyError, ValueError)):
        Statistic.load("power", "signed", arrays)


@pytest.mark.parametrize(
    "damage",
    [
        {"low_centre": None},
        {"low_scale": None},
        {"low_centre": np.zeros(5, np.float32)},
        {"low_scale": np.ones((4, 1), np.float32)},
        {"low_scale": np.array([1.0, 1.0, 0.0, 1.0], np.float32)},
        {"low_scale": np.array([1.0, 1.0, -1.0, 1.0], np.float32)},
        {"low_centre": np.array([0.0, np.nan, 0.0, 0.0], np.float32)},
        {"low_whitening": np.eye(3, dtype=np.float16)},
        {"low_whitening": np.full((4, 4), np.inf, np.float16)},
    ],
)
def test_normal_of_damaged_arrays_is_refused(damage: dict[str, NDArray[Any] | None]) -> None:
    whole: dict[str, Any] = {
        "low_centre": np.zeros(4, np.float32),
        "low_scale": np.ones(4, np.float32),
        "low_whitening": np.eye(4, dtype=np.float16),
    }
    Normal.load("low", whole, 4)
    arrays = {name: array for name, array in (whole | damage).items() if array is not None}
    with pytest.raises((KeyError, ValueError)):
        Normal.load("low", arrays, 4)
