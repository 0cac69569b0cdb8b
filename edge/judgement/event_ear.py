"""Keeps what stood out in an event, so that a person can say later what it was.

No sound: of some of its moments, in no order, how much louder than usual each band was. Neither what was said can be made of that, nor who
said it: it has a tenth of a second's picture here and there, and nothing tells which came first.
"""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.typing import NDArray

from edge.judgement.likeness import LEAST_DB, beyond_usual, standing, usual_of
from edge.judgement.taught import EventSound, alike_at_gains

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

MOST_MOMENTS = 48  # of an event
MOST_HEARD = 750  # among which they are drawn: of three windows
APART_CELLS = 2  # so that no two are of one syllable's beginning and middle


class EventEar:
    """Of one stream."""

    def __init__(self, spread_db: Float64, window_cells: int, rng: Random) -> None:
        """`spread_db`, shape = (band,), is how much frames of the machine's sound vary."""
        self._spread_db = spread_db
        self._window_cells = window_cells
        self._rng = rng
        self._moments: dict[int, Float32] = {}  # by absolute cell: what it has beyond the usual, (band,)
        self._heard: list[EventSound] = []

    def hear(self, first_cell: int, decibels: Float32) -> None:
        """An anomalous window, of its decibels, (time, band), from an absolute cell on; NaN where nothing was heard or it was explained."""
        heard = np.flatnonzero(~np.isnan(decibels[:, 0]))
        if not len(heard) or len(self._moments) >= MOST_HEARD:
            return
        beyond = beyond_usual(decibels[heard], usual_of(decibels))
        loud = standing(beyond, self._spread_db).sum(axis=1) >= LEAST_DB
        for cell, own in zip((first_cell + heard[loud]).tolist(), beyond[loud], strict=True):
            self._moments.setdefault(cell, own)

    def end(self, event: str) -> None:
        """The event with this id is over."""
        cells = np.array(sorted(self._moments), np.int64)
        among = cells[:: APART_CELLS if len(cells) > MOST_MOMENTS else 1].tolist()
        drawn = self._rng.sample(among, min(len(among), MOST_MOMENTS))
        if drawn:
            beyond, all_of_it = (np.stack([self._moments[cell] for cell in own]) for own in (drawn, cells.tolist()))
            beyond = beyond.astype(np.float16).astype(np.float32)  # as it is on disk
            self._heard.append(EventSound(event, beyond, self._common(beyond, cells, all_of_it)))
        self.forget()

    def forget(self) -> None:
        """What was heard belongs to no event."""
        self._moments.clear()

    def _common(self, beyond: Float32, cells: Int64, all_of_it: Float32) -> Int64:
        """How many moments of one window are like each, shape = (moment,), of (moment, band), and of all, (cell, band) at (cell,)."""
        alike = np.pad(alike_at_gains(all_of_it, beyond, self._spread_db), ((1, 0), (0, 0))).cumsum(axis=0)  # (cell + 1, moment)
        ends = np.searchsorted(cells, cells + self._window_cells)
        common: Int64 = (alike[ends] - alike[:-1]).max(axis=0).astype(np.int64)
        return common

    def take(self) -> list[EventSound]:
        """The sounds of the events that ended since the last call."""
        heard, self._heard = self._heard, []
        return heard
