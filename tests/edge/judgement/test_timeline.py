from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.detectors.detector import Deviation
from edge.judgement.timeline import Span, Timeline

FEATURES = {"cnn14": 3, "level": 1}  # with the number of their bands
WINDOW = 40


class SlowTimeline:
    """The same, cell by cell in dictionaries."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, int], list[float]] = {}  # feature and absolute cell -> per band
        self.heard: set[int] = set()

    def put(self, deviation: Deviation, base: int) -> None:
        for cell, values in enumerate(deviation.values.tolist(), base + deviation.first_cell):
            self.cells[deviation.feature, cell] = values
            self.heard.add(cell)

    def read(self, feature: str, last: int, cells: int) -> list[list[float]]:
        return [self.cells.get((feature, cell), [np.nan] * FEATURES[feature]) for cell in range(last - cells, last)]


def put_everywhere(value: float, first_cell: int, cells: int, base: int, timeline: Timeline) -> None:
    for feature, bands in FEATURES.items():
        timeline.put(Deviation(feature, first_cell, np.full((cells, bands), value, np.float32)), base)


blocks = st.tuples(st.integers(1, 8), st.integers(0, 10**6))  # cells and seed
segments = st.lists(st.tuples(st.lists(blocks, max_size=12), st.sampled_from([0, 1, 7, 39, 60])), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(segments=segments, read_cells=st.integers(1, WINDOW))
def test_timeline_equals_the_slow_reference_over_gaps_and_long_runs(
    segments: list[tuple[list[tuple[int, int]], int]], read_cells: int
) -> None:
    timeline, slow = Timeline(FEATURES, WINDOW), SlowTimeline()
    for runs, gap in segments * 4:  # long enough for the arrays to be moved
        base, heard = timeline.cells, 0
        for cells, seed in runs:
            rng = np.random.default_rng(seed)
            for feature, bands in FEATURES.items():
                said = Deviation(feature, heard, rng.standard_normal((cells, bands)).astype(np.float32))
                timeline.put(said, base)
                slow.put(said, base)
            heard += cells
            assert timeline.cells == base + heard
            compare(timeline, slow, read_cells)
        timeline.lose(timeline.cells, timeline.cells + gap)
        compare(timeline, slow, read_cells)


def compare(timeline: Timeline, slow: SlowTimeline, cells: int) -> None:
    last = timeline.cells
    if last < cells:
        return
    span = timeline.read(last, cells)
    assert (span.first, span.last) == (last - cells, last)
    assert span.deviations.keys() == FEATURES.keys()
    for feature, deviations in span.deviations.items():
        np.testing.assert_array_equal(deviations, np.array(slow.read(feature, last, cells), np.float32))
    assert span.lost_cells == sum(cell not in slow.heard for cell in range(last - cells, last))


def test_timeline_feature_that_lags_behind_the_others_is_unknown_in_the_newest_cells() -> None:
    timeline = Timeline(FEATURES, WINDOW)
    timeline.put(Deviation("cnn14", 0, np.ones((8, 3), np.float32)), 0)
    timeline.put(Deviation("level", 0, np.ones((6, 1), np.float32)), 0)
    span = timeline.read(8, 8)
    assert not np.isnan(span.deviations["cnn14"]).any()
    np.testing.assert_array_equal(np.isnan(span.deviations["level"][:, 0]), [False] * 6 + [True] * 2)
    assert span.lost_cells == 0


def test_timeline_cells_that_were_lost_after_all_are_unknown_and_counted() -> None:
    timeline = Timeline(FEATURES, WINDOW)
    put_everywhere(1.0, 0, 30, 0, timeline)
    timeline.lose(25, 32)
    span = timeline.read(32, 32)
    assert (timeline.cells, span.lost_cells) == (32, 7)
    for deviations in span.deviations.values():
        np.testing.assert_array_equal(np.isnan(deviations).any(axis=1), np.arange(32) >= 25)


@pytest.mark.parametrize("gap", [1, WINDOW, 10_000, 10_000_000])
def test_timeline_continues_after_a_gap_of_any_length(gap: int) -> None:
    timeline = Timeline(FEATURES, WINDOW)
    put_everywhere(1.0, 0, 30, 0, timeline)
    timeline.lose(30, 30 + gap)
    put_everywhere(2.0, 0, 8, 30 + gap, timeline)
    assert timeline.cells == 38 + gap
    span = timeline.read(timeline.cells, min(WINDOW, 38 + gap))
    lost = min(gap, WINDOW - 8)
    assert span.lost_cells == lost
    for deviations in span.deviations.values():
        np.testing.assert_array_equal(deviations[-8:], np.full((8, deviations.shape[1]), 2.0))
        assert np.isnan(deviations[-8 - lost : -8]).all()
        np.testing.assert_array_equal(deviations[: -8 - lost], np.ones((len(deviations) - 8 - lost, deviations.shape[1])))


def test_timeline_memory_stays_the_same_in_a_long_run() -> None:
    timeline = Timeline(FEATURES, WINDOW)
    before = [values.shape for values in timeline._maps.values()]
    for block in range(2000):
        put_everywhere(block, 8 * block, 8, 0, timeline)
    assert [values.shape for values in timeline._maps.values()] == before
    span: Span = timeline.read(16_000, WINDOW)
    for deviations in span.deviations.values():
        np.testing.assert_array_equal(deviations[:, 0], np.repeat(np.arange(1995, 2000), 8))
