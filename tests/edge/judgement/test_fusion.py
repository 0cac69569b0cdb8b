from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.judgement.evidence import surprise_of
from edge.judgement.fusion import Units, fuse

CELLS = {"cnn14_sustained": 3.0, "excess_moment": 5.0}
STEADY = {"level": 2.0, "profile": 9.0, "dynamics": 1.0}
evidence = st.floats(0.0, 300.0)  # a logarithm
nats = st.floats(0.0, 1e4)


def test_fuse_is_the_root_of_the_squares_of_both_kinds_in_their_units() -> None:
    fused = fuse(CELLS, STEADY, Units(cells=2.0, steady=3.0))
    assert fused.cells == pytest.approx(float(surprise_of(np.array(8.0))) / 2.0)
    assert fused.steady == pytest.approx(12.0 / 3.0)
    assert fused.surprise == pytest.approx(math.hypot(fused.cells, fused.steady))


@given(
    cells=st.dictionaries(st.sampled_from(list(CELLS)), evidence, max_size=2),
    steady=st.dictionaries(st.sampled_from(list(STEADY)), nats, max_size=3),
    units=st.tuples(st.floats(0.01, 100.0), st.floats(0.01, 100.0)),
)
def test_fuse_shares_are_one_together_and_none_is_negative(
    cells: dict[str, float], steady: dict[str, float], units: tuple[float, float]
) -> None:
    fused = fuse(cells, steady, Units(*units))
    assert set(fused.shares) == {*cells, *steady}
    assert all(share >= 0.0 for share in fused.shares.values())
    assert math.isfinite(fused.surprise)
    if fused.surprise > 1e-100:
        assert sum(fused.shares.values()) == pytest.approx(1.0)
    assert fused.surprise >= max(fused.cells, fused.steady)


def test_fuse_shares_of_a_kind_are_as_its_square_and_within_it_as_its_evidence() -> None:
    fused = fuse(CELLS, STEADY, Units(steady=0.5))
    whole = fused.shares["level"] + fused.shares["profile"] + fused.shares["dynamics"]
    assert whole == pytest.approx((fused.steady / fused.surprise) ** 2)
    assert fused.shares["profile"] == pytest.approx(4.5 * fused.shares["level"])
    assert fused.shares["excess_moment"] / fused.shares["cnn14_sustained"] == pytest.approx(5.0 / 3.0)


def test_fuse_kind_that_hears_nothing_takes_nothing_from_the_one_that_is_sure() -> None:
    alone = fuse({}, STEADY, Units())
    beside = fuse({"cnn14_sustained": 0.02, "excess_moment": 0.01}, STEADY, Units())
    assert alone.surprise == 12.0
    assert beside.surprise == pytest.approx(alone.surprise, rel=1e-3)
    assert beside.shares["profile"] > 0.7
    assert fuse({"cnn14_sustained": 4.0}, {}, Units()).shares == {"cnn14_sustained": 1.0}


def test_fuse_stronger_kind_is_shown_and_its_unit_decides_which_it_is() -> None:
    """Evidence of 5 is 19 nats or so; in a unit that normal sound fills ten times as far, it is less than the level's twelve."""
    by_cells = fuse(CELLS, STEADY, Units())
    by_average = fuse(CELLS, STEADY, Units(cells=1000.0))
    heads = (*CELLS, *STEADY)
    assert by_cells.cells > by_cells.steady
    assert by_cells.strongest(heads) == "excess_moment"
    assert by_average.strongest(heads) == "profile"
    assert by_cells.strongest(("level", "dynamics")) == "level"
    assert by_cells.both_ways == ((by_cells.cells, by_cells.steady), (by_cells.steady, by_cells.cells))


def test_fuse_of_nothing_is_no_surprise() -> None:
    fused = fuse({}, {}, Units())
    assert (fused.surprise, fused.shares) == (0.0, {})
    assert fuse({}, {"level": 0.0}, Units()).shares == {"level": 0.0}


@pytest.mark.parametrize("units", [Units(0.0, 1.0), Units(1.0, -1.0), Units(math.nan, 1.0), Units(1.0, math.inf)])
def test_units_that_are_none_are_refused(units: Units) -> None:
    with pytest.raises(ValueError, match="units of"):
        units.check()
    Units().check()
