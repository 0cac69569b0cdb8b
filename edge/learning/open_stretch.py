"""Half a minute of sound that is being heard: which of its columns are kept is drawn before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.judgement.long_average import LongAverage
from edge.learning.packed import pack
from edge.learning.stretch import APART_CELLS, HALF, LONE_COLUMNS, SINGLE, STRETCH_WINDOWS, WINDOW_COLUMNS, Stretch

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

FEWEST_COLUMNS = 12  # of a window, for it to be kept; and an eighth of the stretch must have been heard
PARTS = (1.0, 1.0, 1.0, float(STRETCH_WINDOWS), 0.3, 0.1, 0.032)  # lengths in windows: three in a row, the long one, parts of the last
WHOLE = 0.9  # of the cells of an average, that must have been heard


@dataclass(slots=True)
class _Columns:
    """Columns that are kept of cells that were drawn."""

    cells: Int64  # absolute, in the random order in which they are kept
    patches: dict[str, Float32] = field(default_factory=dict)  # feature -> (column, band, dimension)
    there: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.there = np.zeros(len(self.cells), np.bool_)

    def take(self, first_cell: int, patches: Mapping[str, Float32]) -> None:
        """Take those that are among consecutive cells."""
        count = len(next(iter(patches.values())))
        wanted = np.flatnonzero((self.cells >= first_cell) & (self.cells < first_cell + count))
        if not len(wanted):
            return
        for feature, values in patches.items():
            if feature not in self.patches:
                self.patches[feature] = np.zeros((len(self.cells), *values.shape[1:]), np.float32)
            self.patches[feature][wanted] = values[self.cells[wanted] - first_cell]
        self.there[wanted] = True


class OpenStretch:
    """One stretch, from its first cell to its last (not included)."""

    def __init__(self, first_cell: int, window_cells: int, run: int, rng: np.random.Generator) -> None:
        self.run = run
        self.first_cell = first_cell
        self.last_cell = first_cell + STRETCH_WINDOWS * window_cells
        self._window_cells = window_cells
        self._heard_cells = 0
        self._bad: list[tuple[int, int]] = []  # cells of anomalous windows
        self._averages: tuple[Float64, tuple[int, ...]] | None = None
        self._values: list[Float64] = []
        drawn = np.arange(first_cell + int(rng.integers(APART_CELLS)), self.last_cell, APART_CELLS)
        begin = first_cell + int(rng.integers((STRETCH_WINDOWS - 1) * window_cells + 1))
        self._window = (begin, begin + window_cells)
        within = (drawn >= begin) & (drawn < begin + window_cells)
        self._of_window = _Columns(rng.permutation(drawn[within])[:WINDOW_COLUMNS])
        self._lone = _Columns(rng.permutation(drawn[~within])[:LONE_COLUMNS])

    def take(self, first_cell: int, patches: Mapping[str, Float32]) -> None:
        """Hear consecutive cells, which may reach beyond the stretch."""
        count = len(next(iter(patches.values())))
        self._heard_cells += max(0, min(first_cell + count, self.last_cell) - max(first_cell, self.first_cell))
        self._of_window.take(first_cell, patches)
        self._lone.take(first_cell, patches)

    def avoid(self, first_cell: int, last_cell: int) -> None:
        """These cells are of an anomalous window: nothing is learned of them."""
        self._bad.append((first_cell, last_cell))

    def add_values(self, values: Float64) -> None:
        """What the heads made of a window that ends in it."""
        self._values.append(values)

    def average(self, long_average: LongAverage) -> None:
        """It has just ended: take the means of its windows, if all of them were heard."""
        if self._averages is not None:
            return
        cells = [round(part * self._window_cells) for part in PARTS]
        ends = [self.last_cell - before * self._window_cells for before in (2, 1, 0, 0, 0, 0, 0)]
        found = [long_average.mean(end, length) for end, length in zip(ends, cells, strict=True)]
        heard = tuple(count for _, count in found)
        is_whole = min(heard) > 0 and heard[STRETCH_WINDOWS] >= WHOLE * cells[STRETCH_WINDOWS]
        self._averages = (np.stack([mean for mean, _ in found]), heard) if is_whole else (np.zeros((0, 0)), ())

    def closed(self, bundle_sha256: str, wall_s: float, cell_s: float) -> Stretch | None:
        """What is kept of it, without a number; None when too little was heard."""
        if self._heard_cells < self._window_cells * STRETCH_WINDOWS / 8:
            return None
        bad = np.zeros(self.last_cell - self.first_cell, np.bool_)
        for first, last in self._bad:
            bad[max(0, first - self.first_cell) : max(0, last - self.first_cell)] = True
        learned_cells = max(0, self._heard_cells - int(bad.sum()))
        begin, end = (cell - self.first_cell for cell in self._window)
        window = self._of_window
        lone = self._lone.there & ~bad[self._lone.cells - self.first_cell]
        keeps_window = window.there.sum() >= FEWEST_COLUMNS and not bad[begin:end].any()
        averages = self._averages if self._averages and len(self._averages[1]) and not bad.any() else None
        return Stretch(
            number=0,
            run=self.run,
            bundle=bundle_sha256,
            wall_s=round(wall_s, 3),
            learned_s=learned_cells * cell_s,
            window={f: pack(own[window.there], HALF) for f, own in window.patches.items()} if keeps_window else {},
            lone={f: pack(own[lone], HALF) for f, own in self._lone.patches.items()} if lone.any() else {},
            averages=pack(averages[0], SINGLE) if averages else None,
            average_cells=averages[1] if averages else (),
            values=pack(np.stack(self._values), HALF) if self._values else None,
        )
