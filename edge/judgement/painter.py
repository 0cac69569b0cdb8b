"""The map of a window, and the regions of an anomalous one, from its cells and from its average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import BLOCK_CELLS, FrontEnd
from edge.judgement.fusion import Fused
from edge.judgement.heads import Heads, Usual
from edge.judgement.regions import CORE_FRACTION, LEAST_HOT, MOST_REGIONS, find_regions
from edge.judgement.steady import Steady, WindowEvidence
from edge.judgement.steady_regions import steady_drawing, steady_regions
from edge.judgement.timeline import Span
from edge.judgement.window import ALARM, Region

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Picture:
    """Where in time and frequency a window sounds wrong."""

    cells: Float32  # (time, band), NaN where lost
    regions: tuple[Region, ...]


def blank_picture(span: Span) -> Picture:
    """That of a window that nobody judges."""
    return Picture(np.full((span.last - span.first, 1), np.nan, np.float32), ())


class Painter:
    """Shows windows of one model."""

    def __init__(self, heads: Heads, steady: Steady | None, front_end: FrontEnd) -> None:
        self._heads = heads
        self._steady = steady
        self._front_end = front_end

    def picture(self, span: Span, fused: Fused | None, steady: WindowEvidence | None, score: float, known: Usual | None = None) -> Picture:
        """The kind of heads that is more surprised is shown with all of the score, the other with its own part.

        Cells that alarm by themselves have all of it too, and where they do the average is not drawn. Where cells of its bands stand out
        without that, they say when it was; where none does, it lasted. `known` is what is usual in the window, if that is known.
        """
        if fused is None or self._steady is None or steady is None or score < ALARM:
            return self._of_cells(span, score, known)
        by_cells, by_average = (score if part >= other else score * part / fused.surprise for part, other in fused.both_ways)
        plain = self._of_cells(span, score if by_cells >= ALARM else by_cells, known)
        layout = self._steady.sound.layout
        apart = self._steady.apart(steady.mean, fused.strongest(self._steady.heads))
        bands = steady_drawing(apart, layout, by_average, plain.cells.shape[1])
        bands[(plain.cells >= ALARM).any(axis=0)] = 0.0
        when = _core(plain.cells[:, bands > 0.0])
        regions = plain.regions
        if by_average >= ALARM or not regions:
            cell_s = self._front_end.cell_s
            found = steady_regions(apart, layout, by_average, (when.start * cell_s, when.stop * cell_s))
            regions += tuple(region for region in found if not any(_overlap(region, cell) for cell in plain.regions))
        average = np.zeros_like(plain.cells)
        average[when] = bands
        return Picture(np.maximum(plain.cells, average), tuple(sorted(regions, key=lambda region: -region.score)[:MOST_REGIONS]))

    def _of_cells(self, span: Span, score: float, known: Usual | None) -> Picture:
        drawn = self._heads.drawing(span.deviations, score, known)
        return Picture(drawn, find_regions(drawn, self._front_end) if score >= ALARM else ())


def _core(cells: Float32) -> slice:
    """The times at which cells stand out, of (time, band), from the first to the last; all of them where less than a block of them do."""
    highest = np.nan_to_num(cells.max(axis=1, initial=0.0), nan=0.0)  # (time,)
    hot = np.flatnonzero(highest >= max(LEAST_HOT, CORE_FRACTION * float(highest.max())))
    return slice(int(hot[0]), int(hot[-1]) + 1) if len(hot) >= BLOCK_CELLS else slice(0, len(cells))


def _overlap(one: Region, other: Region) -> bool:
    """Whether two regions share frequencies."""
    return one.f_lo_hz < other.f_hi_hz and other.f_lo_hz < one.f_hi_hz
