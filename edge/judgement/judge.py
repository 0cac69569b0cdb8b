"""The detector's word on what was heard, written on the timeline."""

from __future__ import annotations

from edge.detectors.detector import Detector
from edge.features.hearing import Heard
from edge.judgement.timeline import Timeline
from edge.stopwatch import Stopwatch


class Judge:
    """Keeps one stream of the detector for every stretch of sound."""

    def __init__(self, detector: Detector, timeline: Timeline, stopwatch: Stopwatch | None = None) -> None:
        self._detector = detector
        self._timeline = timeline
        self._stopwatch = stopwatch or Stopwatch()
        self._segment = -1

    def judge(self, heard: Heard) -> None:
        """Put the deviations of eight cells on the timeline."""
        if heard.segment != self._segment:
            self._stream = self._detector.stream()
            self._segment = heard.segment
        with self._stopwatch.stage("detector"):
            for deviation in self._stream.push(heard.block, heard.cells):
                self._timeline.put(deviation, heard.base_cell)
