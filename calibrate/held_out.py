"""The sound that a training leaves out: one fold of the recordings, which is new to the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import Recording
from calibrate.folds import Folds

Float32 = NDArray[np.float32]


class HeldOut:
    """One fold of several: every third to fifth recording, or the last fifth of each where there are few."""

    def __init__(self, recordings: list[Recording]) -> None:
        self._cells = [recording.cells for recording in recordings]
        self._folds = Folds(recordings)
        self._fold = self._folds.count - 1

    def has(self, recording: int, cell: int) -> bool:
        """Whether a cell of a recording is held out; cells before 0 are mirror images of the first."""
        return self._folds.of(recording, max(0, cell)) == self._fold

    def has_all(self, recording: int) -> bool:
        """Whether a recording is held out as a whole: the piece of one that is cut is its last."""
        return self.has(recording, 0)

    def has_none(self, recording: int) -> bool:
        """Whether all of a recording is trained on."""
        return not self.has(recording, self._cells[recording])

    def has_any(self, recording: int, first_cell: int, last_cell: int) -> bool:
        """Whether any of the cells `first_cell` .. `last_cell` - 1 is held out, so that a training must not use them."""
        return self.has(recording, first_cell) or self.has(recording, last_cell - 1)

    def only(self, recording: int, distances: Float32) -> Float32:
        """The map of a recording, (cell, band) from its cell 0, with NaN for cells that the training used."""
        kept = np.array([self.has(recording, cell) for cell in range(len(distances))], np.bool_)
        return np.where(kept[:, None], distances, np.float32(np.nan))
