"""From what the timeline holds of a window to its score: all heads are asked, and their surprise is put in units of the alarm."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.features.frontend import FrontEnd
from edge.judgement.cells import CellRecorder
from edge.judgement.fusion import Fused, Units, fuse
from edge.judgement.heads import Heads, Usual
from edge.judgement.judge import AVERAGES
from edge.judgement.long_average import LongAverage
from edge.judgement.painter import Painter, blank_picture
from edge.judgement.steady import Steady, WindowEvidence
from edge.judgement.taught import Recogniser
from edge.judgement.threshold import Threshold
from edge.judgement.timeline import Span
from edge.judgement.window import ALARM, Localization, Region, Window

# A window with less sound gets no score. Down to here the scores of normal windows stay what they are (beyond it false alarms
# begin); a fault in the part that was lost is of course missed, which is why every window contains its `lost_s`.
HEARD_FRACTION = 0.5


@dataclass(frozen=True, slots=True)
class Answers:
    """What the heads say about a window, before it is known how much that is."""

    span: Span
    usual: Usual
    steady: WindowEvidence | None  # None when the bundle has no such heads
    fused: Fused | None  # None when too much was lost to say

    @property
    def steady_nats(self) -> float:
        """Of the heads of steady sound."""
        return math.fsum(self.steady.nats.values()) if self.steady else 0.0


class WindowScorer:
    """Scores the windows of one stream, by a threshold that may be moved."""

    def __init__(
        self, heads: Heads, steady: Steady | None, units: Units, front_end: FrontEnd, window_cells: int, *, is_judging: bool = True
    ) -> None:
        """One that is not `is_judging` gives no window a score."""
        self._heads = heads
        self._steady = steady
        self._units = units
        self._painter = Painter(heads, steady, front_end)
        self._front_end = front_end
        self._window_cells = window_cells
        self._is_judging = is_judging

    def use(self, threshold: Threshold, hop_s: float) -> None:
        """Judge by this threshold from now on, which is for a window every `hop_s`."""
        self._threshold = threshold
        self._sure_surprise = threshold.sure_surprise(hop_s / self._front_end.block_s)

    def ask(self, span: Span, long_average: LongAverage | None, recogniser: Recogniser | None = None) -> Answers:
        """Ask all heads; those of steady sound know a `long_average` besides, without the cells that a `recogniser` leaves out."""
        usual = self._heads.usual(span.deviations)
        steady = fused = None
        if self._steady is not None and long_average is not None:
            left_out = recogniser.left_out_before(span.last) if recogniser is not None else None
            steady = self._steady.strongest_evidence(span.deviations[AVERAGES], long_average.mean(span.last, left_out=left_out))
        cells = span.last - span.first
        if self._is_judging and cells - span.lost_cells >= HEARD_FRACTION * cells:
            fused = fuse(self._heads.evidence(span.deviations, usual), steady.nats if steady else {}, self._units)
        return Answers(span, usual, steady, fused)

    def is_sure(self, answers: Answers) -> bool:
        """Whether it is so far above the threshold that one look is enough; never of a shorter window, whose chances nobody has counted."""
        is_whole = answers.span.last - answers.span.first == self._window_cells
        return is_whole and answers.fused is not None and answers.fused.surprise >= self._sure_surprise

    def window(self, answers: Answers, recorder: CellRecorder | None = None) -> Window:
        """The window score is the surprise of all its heads together, in units of the alarm threshold. A `recorder` is given the map."""
        span, fused, cell_s = answers.span, answers.fused, self._front_end.cell_s
        cells = span.last - span.first
        score = p_value = None
        if fused is not None:
            score = self._threshold.score(fused.surprise)
            p_value = self._threshold.p_value(fused.surprise, cells * cell_s)
        anomalous = score is not None and score >= ALARM
        regions: tuple[Region, ...] = ()
        if not self._is_judging:
            picture = blank_picture(span)
            columns = picture.cells.max(axis=1)
        elif anomalous or recorder is not None:
            picture = self._painter.picture(span, fused, answers.steady, score or 0.0, answers.usual)
            columns, regions = picture.cells.max(axis=1), picture.regions
        else:
            columns = self._heads.columns(span.deviations, score or 0.0, answers.usual)
        if recorder is not None:
            recorder.judge(span.last, cells, None if score is None else picture.cells)
        return Window(
            t_start_s=span.first * cell_s,
            t_end_s=span.last * cell_s,
            score=score,
            p_value=p_value,
            anomalous=anomalous,
            heads={head: score * share for head, share in fused.shares.items()} if fused and score is not None else {},
            lost_s=span.lost_cells * cell_s,
            localization=Localization(cell_s, columns, regions),
            surprise=fused.surprise if fused else None,
            sure=self.is_sure(answers),
        )
