from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detectors.detector import Deviation, Parts, real_cells
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import PANNS
from edge.features.hearing import Gap, Heard, Hearing
from edge.features.logmel_backbone import LogMelBackbone
from edge.judgement.judge import Judge
from edge.judgement.timeline import Timeline

SEAM = 12


class Echo:
    """A detector that says the number of each cell, as soon as it hears it."""

    bands = 1
    lag_blocks = 0
    features: Mapping[str, int] = {"echo": 1}

    @classmethod
    def load(cls, parts: Parts) -> Echo:
        return cls()

    def stream(self) -> Echo:
        return self

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        real = real_cells(block.first_cell, cells)
        numbers = np.arange(block.first_cell + real.start, block.first_cell + real.stop, dtype=np.float32)
        return [Deviation("echo", int(numbers[0]), numbers[:, None])] if len(numbers) else []


def seams_and_cells(stretches: list[float], block_samples: int) -> tuple[NDArray[np.bool_], int, list[tuple[int, int]]]:
    """Where stretches of sound of so many seconds, a second of nothing between them, have their seams; and where they lie."""
    hearing = Hearing(LogMelBackbone(PANNS), 32000, 16000.0, lag_blocks=0)
    timeline = Timeline(Echo.features, 2000)
    judge = Judge(Echo(), timeline, SEAM)
    rng = np.random.default_rng(0)
    found: list[tuple[int, int]] = []

    def take(heard: Iterator[Heard | Gap]) -> None:
        for one in heard:
            if isinstance(one, Gap):
                timeline.lose(timeline.cells, one.until_cell)
            else:
                judge.judge(one)

    for number, seconds in enumerate(stretches):
        if number:
            take(hearing.lose(32000))
        first = timeline.cells
        sound = (0.1 * rng.standard_normal(round(32000 * seconds))).astype(np.float32)
        for start in range(0, len(sound), block_samples):
            take(hearing.push(sound[start : start + block_samples]))
        found.append((first, first + round(seconds * 25)))
    take(hearing.finish())
    return timeline.read(timeline.cells, timeline.cells).seams.copy(), timeline.cells, found


@pytest.mark.parametrize("block_samples", [32000 * 30, 5000, 320])
def test_judge_marks_the_beginning_and_the_end_of_every_stretch(block_samples: int) -> None:
    seams, cells, stretches = seams_and_cells([6.0, 4.0, 8.0], block_samples)
    assert cells == stretches[-1][1] == 25 * (6 + 1 + 4 + 1 + 8)
    ends = [(first, first + SEAM) for first, _ in stretches] + [(last - SEAM, last) for _, last in stretches]
    assert set(np.flatnonzero(seams)) == set(itertools.chain.from_iterable(range(*end) for end in ends))


def test_judge_of_a_stretch_shorter_than_its_seams_marks_nothing_before_it() -> None:
    seams, cells, _ = seams_and_cells([3.0, 0.4, 3.0], 4000)
    assert np.flatnonzero(seams)[SEAM:-SEAM].tolist() == [*range(75 - SEAM, 75), *range(100, 100 + SEAM), *range(135, 135 + SEAM)]
    assert cells == len(seams) == 210
