"""The last seconds of a stream: how far every cell is from normal, by each feature, over gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import Deviation

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """What the timeline holds of the cells `first` .. `last` (not included)."""

    first: int
    last: int
    deviations: Mapping[str, Float32]  # feature -> (time, band) float32; NaN where audio was lost
    lost_cells: int

    def without(self, left_out: NDArray[np.bool_]) -> Span:
        """The same as if some of its cells, shape = (time,), had not been heard; `lost_cells` stays."""
        deviations = {feature: np.where(left_out[:, None], np.float32(np.nan), values) for feature, values in self.deviations.items()}
        return Span(self.first, self.last, deviations, self.lost_cells)


class Timeline:
    """Collects deviations by absolute cell, for one source."""

    def __init__(self, features: Mapping[str, int], window_cells: int) -> None:
        """`features` with the number of their bands; `window_cells` is how far back anybody will look."""
        self._window_cells = window_cells
        capacity = 3 * window_cells + 512
        self._maps = {feature: np.full((capacity, bands), np.nan, np.float32) for feature, bands in features.items()}  # (time, band)
        self._heard = np.zeros(capacity, np.bool_)  # (time,) False where audio was lost
        self._origin = 0  # absolute cell of row 0
        self.cells = 0  # judged or lost so far

    def put(self, deviation: Deviation, base_cell: int) -> None:
        """Add the deviations of a feature in a segment that starts at the absolute cell `base_cell`."""
        last = base_cell + deviation.first_cell + len(deviation.values)
        self._make_room(last)
        row = base_cell + deviation.first_cell - self._origin
        rows = slice(row, row + len(deviation.values))
        self._maps[deviation.feature][rows] = deviation.values
        self._heard[rows] = True
        self.cells = max(self.cells, last)

    def lose(self, first_cell: int, last_cell: int) -> None:
        """Cells `first_cell` .. `last_cell` (not included) were lost."""
        self._make_room(last_cell)
        lost = slice(max(0, first_cell - self._origin), max(0, last_cell - self._origin))
        for deviations in self._maps.values():
            deviations[lost] = np.nan
        self._heard[lost] = False
        self.cells = max(self.cells, last_cell)

    def read(self, last_cell: int, cells: int) -> Span:
        """The `cells` cells before the absolute cell `last_cell`; the arrays are views that the next `put` may move."""
        rows = slice(last_cell - cells - self._origin, last_cell - self._origin)
        deviations = {feature: values[rows] for feature, values in self._maps.items()}
        return Span(last_cell - cells, last_cell, deviations, cells - int(np.count_nonzero(self._heard[rows])))

    def _make_room(self, last_cell: int) -> None:
        """Keep one window when the arrays are full, so that moving is rare and reading is a plain slice."""
        if last_cell - self._origin <= len(self._heard):
            return
        shift = max(0, self.cells - self._window_cells - 64) - self._origin
        if last_cell - self._origin - shift > len(self._heard):  # a gap longer than everything we hold
            shift = last_cell - self._window_cells - 64 - self._origin
        kept = max(0, len(self._heard) - shift)
        for deviations in self._maps.values():
            deviations[:kept] = deviations[len(deviations) - kept :].copy()
            deviations[kept:] = np.nan
        self._heard[:kept] = self._heard[len(self._heard) - kept :].copy()
        self._heard[kept:] = False
        self._origin += shift
