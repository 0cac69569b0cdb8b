"""Folds of normal sound: a cell is never compared with its own fold, so its distance is that of held-out sound."""

from __future__ import annotations

from typing import Protocol

from calibrate.embeddings import Recording

FOLDS = 5
MIN_WHOLE = 3  # recordings: so many or more stay whole; fewer are cut into pieces


class FoldsOfSound(Protocol):
    """To which fold normal sound belongs."""

    @property
    def count(self) -> int:
        """How many there are."""

    def of(self, recording: int, cell: int) -> int:
        """The fold of a cell of a recording."""


class Folds:
    """Assigns cells to folds: whole recordings where there are enough, else consecutive pieces of each.

    A recording longer than all the others together is cut too: they are no match for it.
    """

    def __init__(self, recordings: list[Recording]) -> None:
        self._recordings = recordings
        cells = [recording.cells for recording in recordings]
        self.whole = len(recordings) >= MIN_WHOLE and 2 * max(cells) <= sum(cells)
        self.count = min(FOLDS, len(recordings)) if self.whole else FOLDS

    def of(self, recording: int, cell: int) -> int:
        """The fold of a cell of a recording."""
        if self.whole:
            return recording % self.count
        return min(self.count - 1, cell * self.count // max(1, self._recordings[recording].cells))
