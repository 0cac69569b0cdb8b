from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.detectors.detector import Surprise
from edge.judgement.timeline import Timeline

HEADS = ("patch", "texture", "level")
BANDS = 3
WINDOW = 40


class SlowTimeline:
    """The same, cell by cell in dictionaries."""

    def __init__(self) -> None:
        self.patch: dict[int, list[float]] = {}
        self.textures: list[tuple[str, int, int, list[float]]] = []  # head, first and last cell it covers, per band
        self.lost: set[int] = set()

    def put(self, surprise: Surprise, base: int) -> None:
        first = base + surprise.first_cell
        if surprise.span_cells == 1:
            for row, values in enumerate(surprise.values.tolist()):
                self.patch[first + row] = values
        else:
            values = np.broadcast_to(surprise.values[0], (BANDS,)).tolist()
            self.textures.append((surprise.head, first - surprise.span_cells + 1, first, values))

    def cell(self, cell: int, band: int) -> float:
        if cell in self.lost:
            return math.nan
        said = [self.patch[cell][band]] if cell in self.patch else []
        for head in ("texture", "level"):
            covering = [values[band] for name, first, last, values in self.textures if name == head and first <= cell <= last]
            said += [min(covering)] if covering else []
        return max(said) if said else math.nan

    def heads(self, last: int, cells: int) -> dict[str, float]:
        within = range(last - cells, last)
        patches = [max(self.patch[cell]) for cell in within if cell in self.patch]
        found = {"patch": max(patches)} if patches else {}
        for head in ("texture", "level"):
            own = [max(values) for name, a, b, values in self.textures if name == head and a in within and b in within]
            found |= {head: max(own)} if own else {}
        return found


blocks = st.tuples(st.integers(1, 8), st.sampled_from([0, 0, 0, 5, 12]), st.integers(0, 10**6))  # cells, texture's span, seed
segments = st.lists(st.tuples(st.lists(blocks, max_size=12), st.sampled_from([0, 1, 7, 39, 60])), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(segments=segments, read_cells=st.integers(1, WINDOW))
def test_timeline_equals_the_slow_reference_over_gaps_and_long_runs(
    segments: list[tuple[list[tuple[int, int, int]], int]], read_cells: int
) -> None:
    timeline, slow = Timeline(HEADS, BANDS, WINDOW), SlowTimeline()
    for runs, gap in segments * 4:  # long enough for the arrays to be moved
        base, heard = timeline.cells, 0
        for cells, span, seed in runs:
            rng = np.random.default_rng(seed)
            said = [Surprise("patch", heard, 1, rng.standard_normal((cells, BANDS)).astype(np.float32))]
            heard += cells
            if (span := min(span, heard)) > 1:
                said.append(Surprise("texture", heard - 1, span, rng.standard_normal((1, BANDS)).astype(np.float32)))
                said.append(Surprise("level", heard - 1, span, rng.standard_normal((1, 1)).astype(np.float32)))
            for surprise in said:
                timeline.put(surprise, base)
                slow.put(surprise, base)
            compare(timeline, slow, read_cells)
        slow.lost.update(range(timeline.cells, timeline.cells + gap))
        timeline.lose(timeline.cells, timeline.cells + gap)
        compare(timeline, slow, read_cells)


def compare(timeline: Timeline, slow: SlowTimeline, cells: int) -> None:
    last = timeline.cells
    if last < cells:
        return
    span = timeline.read(last, cells)
    assert (span.first, span.last) == (last - cells, last)
    expected = [[slow.cell(cell, band) for band in range(BANDS)] for cell in range(last - cells, last)]
    np.testing.assert_array_equal(span.anomaly_map, np.array(expected, np.float32))
    assert span.heads == slow.heads(last, cells)
    assert span.lost_cells == sum(cell in slow.lost for cell in range(last - cells, last))


def test_timeline_cell_is_as_surprising_as_the_least_surprising_texture_over_it() -> None:
    timeline = Timeline(HEADS, BANDS, WINDOW)
    for last, value in ((7, 9.0), (11, 1.0), (15, 5.0)):
        timeline.put(Surprise("texture", last, 8, np.full((1, BANDS), value, np.float32)), 0)
    for cell in range(16):
        timeline.put(Surprise("patch", cell, 1, np.full((1, BANDS), -10.0, np.float32)), 0)
    span = timeline.read(16, 16)
    np.testing.assert_array_equal(span.anomaly_map[:, 0], [9.0] * 4 + [1.0] * 8 + [5.0] * 4)
    assert span.heads == {"texture": 9.0, "patch": -10.0}


def test_timeline_head_that_covers_more_than_the_window_does_not_speak_for_it() -> None:
    timeline = Timeline(HEADS, BANDS, WINDOW)
    timeline.put(Surprise("patch", 0, 1, np.zeros((20, BANDS), np.float32)), 0)
    timeline.put(Surprise("texture", 19, 12, np.full((1, BANDS), 4.0, np.float32)), 0)
    assert "texture" not in timeline.read(20, 10).heads
    assert timeline.read(20, 12).heads["texture"] == 4.0


@pytest.mark.parametrize("gap", [1, WINDOW, 10_000, 10_000_000])
def test_timeline_goes_on_after_a_gap_of_any_length(gap: int) -> None:
    timeline = Timeline(HEADS, BANDS, WINDOW)
    timeline.put(Surprise("patch", 0, 1, np.ones((30, BANDS), np.float32)), 0)
    timeline.lose(30, 30 + gap)
    timeline.put(Surprise("patch", 0, 1, np.full((8, BANDS), 2.0, np.float32)), 30 + gap)
    span = timeline.read(timeline.cells, WINDOW) if gap >= 2 else timeline.read(timeline.cells, 39)
    assert timeline.cells == 38 + gap
    assert span.lost_cells == min(gap, WINDOW - 8)
    np.testing.assert_array_equal(span.anomaly_map[-8:], np.full((8, BANDS), 2.0))


def test_timeline_memory_stays_the_same_in_a_long_run() -> None:
    timeline = Timeline(HEADS, BANDS, WINDOW)
    for block in range(2000):
        timeline.put(Surprise("patch", 8 * block, 1, np.full((8, BANDS), block, np.float32)), 0)
    assert timeline._maps.shape[1] == 3 * WINDOW + 512
    span = timeline.read(16_000, WINDOW)
    np.testing.assert_array_equal(span.anomaly_map[:, 0], np.repeat(np.arange(1995, 2000), 8))
