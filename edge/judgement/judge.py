"""Write the detector's deviations, and the averages of the cells, on the timeline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import Detector, Deviation, real_cells
from edge.features.cell_averages import AverageLayout, AverageStream
from edge.features.feature_extractor import PlacedBlock
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.long_average import LongAverage
from edge.judgement.overhearing import PatchHearing
from edge.judgement.timeline import Timeline
from edge.stopwatch import Stopwatch

Float32 = NDArray[np.float32]

AVERAGES = "averages"  # on the timeline: no deviation, but what steady sound is judged by


class Judge:
    """Keeps one stream of the detector for every stretch of sound, and one of the averages of its cells."""

    def __init__(
        self,
        detector: Detector,
        timeline: Timeline,
        stopwatch: Stopwatch | None = None,
        layout: AverageLayout | None = None,
        long_average: LongAverage | None = None,
    ) -> None:
        """Averages are put on the timeline, and into a `long_average`, if a `layout` of them is given."""
        self._detector = detector
        self._timeline = timeline
        self._layout = layout
        self._long_average = long_average
        self._stopwatch = stopwatch or Stopwatch()
        self._segment = -1
        self.overhearing: tuple[PatchHearing, ...] = ()

    def judge(self, heard: PlacedBlock) -> list[Deviation]:
        """Put the deviations of eight cells on the timeline; return them."""
        if heard.segment != self._segment:
            self._stream = self._detector.stream()
            self._averages = _LaggedAverages(self._layout, self._detector.lag_blocks) if self._layout else None
            self._segment = heard.segment
        with self._stopwatch.stage("detector"):
            deviations = self._stream.push(heard.block, heard.cells)
        if self.overhearing and (latest := self._stream.latest()):
            with self._stopwatch.stage("learning"):
                for one in self.overhearing:
                    one.patches(heard.base_cell + latest.first_cell, latest.of)
        with self._stopwatch.stage("averages"):
            if self._averages:
                rows = self._averages.push(heard.block, heard.cells)
                if self._long_average and len(rows):
                    self._long_average.put(rows, heard.base_cell + max(0, heard.block.first_cell))
                deviations += [self._averages.of(one) for one in deviations[:1]]  # of the same cells, however late the detector is
        for deviation in deviations:
            self._timeline.put(deviation, heard.base_cell)
        return deviations


class _LaggedAverages:
    """The averages of the latest cells of a segment."""

    def __init__(self, layout: AverageLayout, lag_blocks: int) -> None:
        self._stream = AverageStream(layout)
        self._rows = np.full(((lag_blocks + 1) * BLOCK_CELLS, layout.width), np.nan, np.float32)  # (cell, column), the latest last
        self._end_cell = 0  # of the segment

    def push(self, block: FeatureBlock, cells: int) -> Float32:
        """Hear the block that follows, of a segment of which so many cells are real sound; return its rows of such cells."""
        self._rows[:-BLOCK_CELLS] = self._rows[BLOCK_CELLS:]
        self._rows[-BLOCK_CELLS:] = self._stream.push(block, cells)
        self._end_cell = block.first_cell + BLOCK_CELLS
        real: Float32 = self._rows[-BLOCK_CELLS:][real_cells(block.first_cell, cells)]
        return real

    def of(self, deviation: Deviation) -> Deviation:
        """Those of the cells that a detector has judged."""
        first = deviation.first_cell - (self._end_cell - len(self._rows))
        return Deviation(AVERAGES, deviation.first_cell, self._rows[first : first + len(deviation.values)])
