from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detectors.detector import Detector, DetectorStream, Deviation, Parts, Patches, real_cells
from edge.features.cell_averages import AverageLayout, AverageStream
from edge.features.feature_extractor import FeatureExtractor, Gap, PlacedBlock
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import DCASE, PANNS, FrontEnd, mels_below
from edge.features.logmel_backbone import LogMelBackbone
from edge.judgement.judge import AVERAGES, Judge
from edge.judgement.long_average import LongAverage
from edge.judgement.timeline import Timeline

Float32 = NDArray[np.float32]


class LateDetector:
    """Says of a cell its number, so many blocks late."""

    features: Mapping[str, int] = {"late": 1}
    bands = 1

    def __init__(self, lag_blocks: int) -> None:
        self.lag_blocks = lag_blocks

    @classmethod
    def load(cls, parts: Parts) -> Detector:
        return cls(0)

    def stream(self) -> LateStream:
        return LateStream(self.lag_blocks)


class LateStream(DetectorStream):
    def __init__(self, lag_blocks: int) -> None:
        self.lag_cells = 8 * lag_blocks

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        first = block.first_cell - self.lag_cells
        real = real_cells(first, cells)
        if real.stop <= real.start:
            return []
        return [Deviation("late", first + real.start, np.arange(first + real.start, first + real.stop, dtype=np.float32)[:, None])]


def noise(samples: int) -> Float32:
    return (0.05 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def laid(
    front_end: FrontEnd, steps: list[Float32 | int], lag_blocks: int, layout: AverageLayout | None, long_average: LongAverage | None = None
) -> Timeline:
    """The timeline of pushing arrays and losing numbers of samples."""
    detector = LateDetector(lag_blocks)
    extractor = FeatureExtractor(LogMelBackbone(front_end), front_end.sample_rate_hz, 8000.0, lag_blocks=lag_blocks)
    timeline = Timeline({"late": 1, **({AVERAGES: layout.width} if layout else {})}, 200)
    judge = Judge(detector, timeline, layout=layout, long_average=long_average)
    for step in [*steps, None]:
        for one in extractor.finish() if step is None else extractor.lose(step) if isinstance(step, int) else extractor.push(step):
            if isinstance(one, Gap):
                timeline.lose(timeline.cells, one.until_cell)
            else:
                judge.judge(one)
    return timeline


def averages_of(front_end: FrontEnd, sound: Float32, layout: AverageLayout) -> Float32:
    """Of all cells of a stretch of sound, by a stream of their own."""
    extractor, stream = FeatureExtractor(LogMelBackbone(front_end), front_end.sample_rate_hz, 8000.0, lag_blocks=0), AverageStream(layout)
    rows = []
    for one in [*extractor.push(sound), *extractor.finish()]:
        assert isinstance(one, PlacedBlock)
        rows.append(stream.push(one.block, one.cells)[real_cells(one.block.first_cell, one.cells)])
    return np.concatenate(rows)


@settings(max_examples=20, deadline=None)
@given(
    front_end=st.sampled_from([PANNS, DCASE]),
    lag_blocks=st.integers(0, 4),
    cuts=st.lists(st.integers(0, 90_000), max_size=6),
    samples=st.integers(20_000, 90_000),
)
def test_judge_puts_the_averages_of_the_cells_that_the_detector_has_judged_however_late(
    front_end: FrontEnd, lag_blocks: int, cuts: list[int], samples: int
) -> None:
    layout = AverageLayout(front_end, mels_below(front_end, 8000.0))
    timeline = laid(front_end, list(np.split(noise(samples), sorted(cuts))), lag_blocks, layout)
    span = timeline.read(timeline.cells, timeline.cells)
    expected = averages_of(front_end, noise(samples), layout)
    assert timeline.cells == len(expected)
    np.testing.assert_array_equal(span.deviations["late"][:, 0], np.arange(len(expected)))
    np.testing.assert_array_equal(span.deviations[AVERAGES], expected)


@pytest.mark.parametrize("lag_blocks", [0, 2])
def test_judge_starts_again_after_a_gap(lag_blocks: int) -> None:
    layout = AverageLayout(PANNS, mels_below(PANNS, 8000.0))
    before, after = noise(64_000), noise(50_000)
    timeline = laid(PANNS, [before, 1280 * 30, after], lag_blocks, layout)
    rows = timeline.read(timeline.cells, timeline.cells).deviations[AVERAGES]
    np.testing.assert_array_equal(rows[:50], averages_of(PANNS, before, layout))
    assert np.isnan(rows[51:80]).all()
    np.testing.assert_array_equal(rows[80:], averages_of(PANNS, after, layout))


@pytest.mark.parametrize("lag_blocks", [0, 2])
def test_judge_collects_the_same_averages_by_absolute_cell_however_late_the_detector_is(lag_blocks: int) -> None:
    """Fifty cells, thirty that were lost, and thirty-nine: the last block of each stretch is cut off."""
    layout = AverageLayout(PANNS, mels_below(PANNS, 8000.0))
    long_average = LongAverage(layout.width, 50)
    timeline = laid(PANNS, [noise(64_000), 1280 * 30, noise(50_000)], lag_blocks, layout, long_average)
    rows = timeline.read(timeline.cells, timeline.cells).deviations[AVERAGES]
    assert timeline.cells == 119
    for last_cell, cells in ((47, 40), (48, 48), (50, 50), (87, 50), (88, 58), (119, 89)):
        means, heard = long_average.mean(last_cell)
        assert heard == cells
        known = np.concatenate([rows[:50], rows[80:]])[:cells]
        np.testing.assert_allclose(means, np.nanmean(known, axis=0, dtype=np.float64), rtol=1e-4)


def test_judge_without_a_layout_puts_nothing_but_what_the_detector_says() -> None:
    timeline = laid(PANNS, [noise(40_000)], 1, None)
    assert list(timeline.read(timeline.cells, timeline.cells).deviations) == ["late"]


class PatchyStream(LateStream):
    """Compares patches: those of a cell hold its number."""

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        self._judged = super().push(block, cells)
        return self._judged

    def latest(self) -> Patches | None:
        return Patches(self._judged[0].first_cell, {"late": self._judged[0].values[:, :, None]}) if self._judged else None


class PatchyDetector(LateDetector):
    def stream(self) -> LateStream:
        return PatchyStream(self.lag_blocks)


class Listening:
    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []  # absolute cell, and the cell of the segment

    def patches(self, first_cell: int, patches: Mapping[str, Float32]) -> None:
        self.heard += [(first_cell + row, int(number)) for row, number in enumerate(patches["late"][:, 0, 0])]


@pytest.mark.parametrize("is_patchy", [True, False])
def test_judge_lets_every_detector_be_overheard_that_has_patches(is_patchy: bool) -> None:
    detector = PatchyDetector(1) if is_patchy else LateDetector(1)
    extractor = FeatureExtractor(LogMelBackbone(PANNS), PANNS.sample_rate_hz, 14000.0, lag_blocks=1)
    judge = Judge(detector, Timeline(detector.features, 250))
    listening = Listening()
    judge.overhearing = (listening,)
    for heard in [*extractor.lose(PANNS.cell_samples * 5), *extractor.push(noise(96000)), *extractor.finish()]:
        if isinstance(heard, PlacedBlock):
            judge.judge(heard)
    assert listening.heard == ([(5 + cell, cell) for cell in range(75)] if is_patchy else [])
