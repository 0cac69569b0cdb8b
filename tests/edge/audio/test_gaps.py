from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.audio.gaps import Gaps

Float32 = NDArray[np.float32]

RATE_HZ = 100  # ten zeros are a gap


def split(samples: Float32, cuts: list[int]) -> list[str]:
    """Each sample as s(ound) or g(ap), in order, as one string per run."""
    gaps = Gaps(RATE_HZ)
    marks = ""
    heard = []
    for part in np.split(samples, sorted(cuts)):
        for one in gaps.push(part):
            marks += "g" * one if isinstance(one, int) else "s" * len(one)
            heard += [] if isinstance(one, int) else [one]
    rest = gaps.flush()
    marks += "s" * len(rest)
    kept = np.concatenate([*heard, rest])
    assert len(marks) == len(samples)
    np.testing.assert_array_equal(kept, samples[[mark == "s" for mark in marks]])
    return marks.replace("sg", "s g").replace("gs", "g s").split()


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.1] * 5, ["s" * 5]),
        ([0.0] * 5, ["g" * 5]),  # a stream begins in a gap
        ([0.0] * 3 + [0.1] * 2, ["ggg", "ss"]),
        ([0.1] + [0.0] * 9 + [0.1], ["s" * 11]),
        ([0.1] + [0.0] * 10 + [0.1], ["s", "g" * 10, "s"]),
        ([0.1] + [0.0] * 9, ["s" * 10]),
        ([0.1] + [0.0] * 25, ["s", "g" * 25]),
        ([0.1, np.nan, 0.1], ["s", "g", "s"]),
        ([0.1, np.inf, -np.inf, 1e30, 0.1], ["s", "ggg", "s"]),
        ([0.1, np.nan, 0.0, 0.0, 0.1], ["s", "ggg", "s"]),
        ([0.1, 0.0, np.nan, 0.1], ["ss", "g", "s"]),
        ([0.1] * 9, ["s" * 9]),  # clipped, or a quiet room
        ([0.1] * 25, ["g" * 25]),  # stuck
        ([0.2] + [0.1] * 11 + [0.0] * 2 + [0.2], ["s", "g" * 13, "s"]),
        ([0.1] * 11 + [np.nan] + [0.1] * 3, ["g" * 12, "sss"]),
        ([32767.0, -32768.0], ["ss"]),  # integers as floats are sound
        ([], []),
    ],
)
def test_gaps_are_found(samples: list[float], expected: list[str]) -> None:
    assert split(np.array(samples, np.float32), []) == expected


@settings(max_examples=200, deadline=None)
@given(
    runs=st.lists(st.tuples(st.sampled_from([0.0, 0.5, -0.25, np.nan, np.inf]), st.integers(1, 14)), max_size=8),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
def test_gaps_are_at_the_same_places_for_any_pushes(runs: list[tuple[float, int]], cuts: list[int]) -> None:
    samples = np.array([value for value, count in runs for _ in range(count)], np.float32)
    assert split(samples, [cut for cut in cuts if cut <= len(samples)]) == split(samples, [])


def test_gaps_after_lost_audio_leading_zeros_belong_to_the_gap() -> None:
    gaps = Gaps(RATE_HZ)
    assert [len(one) for one in gaps.push(np.array([0.1, 0.0, 0.0], np.float32)) if not isinstance(one, int)] == [1]
    assert len(gaps.interrupt()) == 2  # before the loss they were sound
    assert list(gaps.push(np.array([0.0, 0.0, 0.1], np.float32))) == [2]
    np.testing.assert_array_equal(gaps.flush(), np.array([0.1], np.float32))


def test_gaps_sound_that_repeats_itself_is_no_gap() -> None:
    """A tone whose period divides half of the shortest gap: wherever it is looked at, it is the same."""
    tone = np.tile(np.array([0.1, 0.3, -0.2, 0.0, 0.25], np.float32), 40)
    assert split(tone, [50, 100, 150]) == ["s" * 200]


@pytest.mark.parametrize("value", [0.0, 0.1])
@pytest.mark.parametrize("before", range(12))
def test_gaps_just_long_enough_are_found_wherever_they_begin(value: float, before: int) -> None:
    sound = np.arange(1, 41, dtype=np.float32)
    samples = np.concatenate([sound[:before], np.full(10, value, np.float32), sound[before:]])
    assert split(samples, [20]) == ([f"{'s' * before}"] if before else []) + ["g" * 10, "s" * (40 - before)]
    shorter = np.delete(samples, before)
    assert split(shorter, [20]) == (["s" * 49] if before or value else ["g" * 9, "s" * 40])
