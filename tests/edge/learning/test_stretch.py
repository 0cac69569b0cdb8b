from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edge.learning.packed import Packed, pack, unpack
from edge.learning.stretch import (
    HALF,
    LONE_COLUMNS,
    MOST_AVERAGES,
    MOST_LONE,
    MOST_VALUES,
    MOST_WINDOWS,
    SINGLE,
    Stretch,
    is_thinned_at,
    thinned,
)

FIRST = Stretch(
    number=0,
    run=1,
    bundle="0" * 64,
    wall_s=0.0,
    learned_s=30.0,
    window={"cnn14": pack(np.ones((4, 2, 3)), HALF)},
    lone={"cnn14": pack(np.arange(6.0 * LONE_COLUMNS).reshape(LONE_COLUMNS, 2, 3), HALF)},
    averages=pack(np.ones((7, 5)), SINGLE),
    average_cells=(250,) * 7,
    values=pack(np.ones((6, 9)), HALF),
)


def stretch(number: int) -> Stretch:
    return msgspec.structs.replace(FIRST, number=number)


@pytest.mark.parametrize("count", [1, 200, 257, 1500, 21_000])
def test_thinned_store_of_any_age_is_bounded(count: int) -> None:
    kept = [thinned(stretch(number), count) for number in range(count)]
    assert sum(bool(one.window) for one in kept) <= 1.25 * MOST_WINDOWS
    assert sum(one.lone["cnn14"].shape[0] for one in kept if one.lone) <= 1.25 * MOST_LONE
    assert sum(one.averages is not None for one in kept) <= 1.25 * MOST_AVERAGES
    assert sum(one.values is not None for one in kept) == min(count, MOST_VALUES)


@pytest.mark.parametrize("count", [200, 257, 1500, 20_000])
def test_thinned_store_keeps_half_of_what_it_may_at_least(count: int) -> None:
    kept = [thinned(stretch(number), count) for number in range(count)]
    assert sum(bool(one.window) for one in kept) >= 0.4 * min(count, MOST_WINDOWS)
    assert sum(one.lone["cnn14"].shape[0] for one in kept if one.lone) >= 0.4 * min(LONE_COLUMNS * count, MOST_LONE)


def test_thinned_store_is_an_even_sample_of_its_time() -> None:
    kept = [number for number in range(20_000) if thinned(stretch(number), 20_000).window]
    quarters = np.histogram(kept, bins=4, range=(0, 20_000))[0]
    assert quarters.min() > 0.6 * quarters.mean()


def test_thinned_keeps_nothing_that_was_gone_before() -> None:
    """A store is thinned again and again; what it keeps is what it would have kept at once."""
    for number in range(20):
        gradually = one = stretch(number)
        for count in range(20, 5000, 97):
            gradually = thinned(gradually, count)
        assert gradually == thinned(one, count)


def test_is_thinned_at_counts_where_older_stretches_keep_less_and_nowhere_else() -> None:
    before = [thinned(stretch(number), 203) for number in range(203)]
    for count in range(204, 600):
        after = [thinned(stretch(number), count) for number in range(203)]
        assert (after != before) <= is_thinned_at(count)
        before = after
    assert 2 <= sum(map(is_thinned_at, range(1, 600))) <= 8


def test_pack_halves_lose_no_more_than_a_half_does_and_stay_finite() -> None:
    values = np.array([[1.0, -3.25], [1e9, -1e9]])
    found = unpack(pack(values, HALF), HALF)
    assert np.isfinite(found).all()
    assert found[0].tolist() == [1.0, -3.25]


@pytest.mark.parametrize("shape", [(2, 3), (-1, 4), (5,), ()])
def test_unpack_refuses_a_size_that_does_not_match(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="size"):
        unpack(Packed(shape, bytes(8)), HALF)
