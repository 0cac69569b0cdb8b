"""The last seconds of a stream as an anomaly map, and the window scores read off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import Surprise

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """What the timeline holds of the cells `first` .. `last` (not included)."""

    first: int
    last: int
    anomaly_map: Float32  # (time, band) float32 surprise, the largest over the heads; NaN where audio was lost
    heads: dict[str, float]  # largest surprise of each head; a head that has not spoken yet is absent
    lost_cells: int


class Timeline:
    """Collects surprise by absolute cell, over gaps, for one source.

    A texture covers 32 cells, so it says of each of them only that something in its span is unusual. A cell is as
    surprising as the *least* surprising texture that covers it: that keeps a long tone and cuts the halo of a short one.
    """

    def __init__(self, heads: tuple[str, ...], bands: int, window_cells: int) -> None:
        self._heads = heads
        self._bands = bands
        self._window_cells = window_cells
        capacity = 3 * window_cells + 512
        self._maps = np.full((len(heads), capacity, bands), np.nan, np.float32)  # (head, time, band)
        self._peaks = np.full((len(heads), capacity), np.nan, np.float32)  # (head, time) largest surprise of the row that ends here
        self._spans = np.ones((len(heads), capacity), np.int32)  # (head, time) how many cells that row is about
        self._heard = np.zeros(capacity, np.bool_)  # (time,) False where audio was lost
        self._origin = 0  # absolute cell of column 0
        self.cells = 0  # judged or lost so far

    def put(self, surprise: Surprise, base_cell: int) -> None:
        """Take what a head says of a segment that starts at the absolute cell `base_cell`."""
        last = base_cell + surprise.first_cell + len(surprise.values)
        self._make_room(last)
        head = self._heads.index(surprise.head)
        column = base_cell + surprise.first_cell - self._origin
        rows = slice(column, column + len(surprise.values))
        self._peaks[head, rows] = surprise.values.max(axis=1)
        self._spans[head, rows] = surprise.span_cells
        if surprise.span_cells == 1:
            self._maps[head, rows] = surprise.values
        else:
            covered = self._maps[head, max(0, column + 1 - surprise.span_cells) : column + 1]  # (time, band)
            np.fmin(covered, surprise.values, out=covered)
        self._heard[rows] = True
        self.cells = max(self.cells, last)

    def lose(self, first_cell: int, last_cell: int) -> None:
        """Cells `first_cell` .. `last_cell` (not included) were never heard."""
        self._make_room(last_cell)
        lost = slice(max(0, first_cell - self._origin), max(0, last_cell - self._origin))
        self._maps[:, lost] = np.nan
        self._peaks[:, lost] = np.nan
        self._heard[lost] = False
        self.cells = max(self.cells, last_cell)

    def read(self, last_cell: int, cells: int) -> Span:
        """The `cells` cells before the absolute cell `last_cell`, judged by what lies wholly within them."""
        columns = slice(last_cell - cells - self._origin, last_cell - self._origin)
        within = self._spans[:, columns] <= np.arange(1, cells + 1)  # (head, time)
        peaks = np.where(within, self._peaks[:, columns], np.float32(np.nan))  # (head, time)
        spoken = np.any(~np.isnan(peaks), axis=1)
        heads = {head: float(np.nanmax(peaks[row])) for row, head in enumerate(self._heads) if spoken[row]}
        anomaly_map: Float32 = np.fmax.reduce(self._maps[:, columns], axis=0)
        anomaly_map[~self._heard[columns]] = np.nan
        return Span(last_cell - cells, last_cell, anomaly_map, heads, int(np.count_nonzero(~self._heard[columns])))

    def _make_room(self, last_cell: int) -> None:
        """Keep one window when the arrays are full, so that moving is rare and reading is a plain slice."""
        if last_cell - self._origin <= len(self._heard):
            return
        shift = max(0, self.cells - self._window_cells - 64) - self._origin
        if last_cell - self._origin - shift > len(self._heard):  # a gap longer than everything we hold
            shift = last_cell - self._window_cells - 64 - self._origin
        kept = max(0, len(self._heard) - shift)
        for array, empty in ((self._maps, np.nan), (self._peaks, np.nan), (self._spans, 1)):
            array[:, :kept] = array[:, len(self._heard) - kept :].copy()
            array[:, kept:] = empty
        self._heard[:kept] = self._heard[len(self._heard) - kept :].copy()
        self._heard[kept:] = False
        self._origin += shift
