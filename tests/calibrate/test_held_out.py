from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibrate.embeddings import Recording
from calibrate.held_out import HeldOut


def recordings(*cells: int) -> list[Recording]:
    return [Recording(Path(f"{index}.wav"), 0, count) for index, count in enumerate(cells)]


@pytest.mark.parametrize(("count", "expected"), [(3, {2}), (4, {3}), (5, {4}), (12, {4, 9})])
def test_held_out_of_several_recordings_is_one_in_so_many_as_a_whole(count: int, expected: set[int]) -> None:
    split = HeldOut(recordings(*[100] * count))
    for index in range(count):
        kept = [split.has(index, cell) for cell in range(-8, 110)]
        assert kept == [index in expected] * len(kept)
        assert split.has_all(index) == (index in expected)
        assert split.has_none(index) == (index not in expected)


@pytest.mark.parametrize("lengths", [(200,), (200, 300), (50, 60, 1000)])
def test_held_out_of_few_recordings_is_the_last_fifth_of_each(lengths: tuple[int, ...]) -> None:
    split = HeldOut(recordings(*lengths))
    for index, cells in enumerate(lengths):
        kept = [cell for cell in range(-8, cells + 16) if split.has(index, cell)]
        assert kept == list(range(cells * 4 // 5, cells + 16))
        assert not split.has_all(index)
        assert not split.has_none(index)


def test_held_out_block_across_the_border_is_not_learned() -> None:
    split = HeldOut(recordings(200))
    assert [first for first in range(-8, 200, 8) if split.has_any(0, first, first + 8)] == list(range(160, 200, 8))
    assert split.has_any(0, 156, 164)
    assert not split.has_any(0, 152, 160)


def test_held_out_only_leaves_nothing_that_was_learned() -> None:
    values = np.arange(400, dtype=np.float32).reshape(200, 2)
    kept = HeldOut(recordings(200)).only(0, values)
    assert np.isnan(kept[:160]).all()
    np.testing.assert_array_equal(kept[160:], values[160:])
