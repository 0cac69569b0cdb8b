"""What of the sound of a source must not be learned, and when a person is asked.

Nothing is learned of a window that is above the threshold, belongs to an event, or has a sound like one that was marked as a real fault:
with ten seconds before and after, for as long is a window. That holds for good, whatever is said of the event later: a mark teaches what
was heard in it (edge/judgement/taught.py), and no bundle is made of it. Nor is what was left out for a mark learned.

What lasts is another matter. An event that has gone on for a quarter of an hour may be a fault, or a new normal: another load, a machine
next door. It is not taken for normal by itself; somebody is asked, and until the answer is yes it alarms and is not learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.judgement.overhearing import HeardWindow

LASTS_S = 900.0  # after which somebody is asked
WORTH_S = 1800.0  # of accepted sound, for the next bundle to be made of it


@dataclass(slots=True)
class Guard:
    """Of one source. Used by the worker's thread alone."""

    lasting_s: float = 0.0  # that the event which goes on has lasted
    is_accepted: bool = False  # somebody has said that it is normal
    accepted_s: float = 0.0  # of it that was learned, and no bundle knows yet
    _bundle: str = ""

    @property
    def asks(self) -> bool:
        """Whether somebody should say if this is the new normal."""
        return self.lasting_s >= LASTS_S and not self.is_accepted

    @property
    def is_due(self) -> bool:
        """Whether enough was accepted for a bundle that knows it."""
        return self.accepted_s >= WORTH_S

    def begin(self, bundle_sha256: str) -> None:
        """A listener with a bundle begins. Another bundle has learned what was accepted, or judges by something else."""
        self.lasting_s = 0.0
        if bundle_sha256 != self._bundle:
            self._bundle = bundle_sha256
            self.is_accepted, self.accepted_s = False, 0.0

    def accept(self) -> bool:
        """What lasts is normal from now on; False when nothing lasts."""
        self.is_accepted = self.is_accepted or self.asks
        return self.is_accepted

    def hear(self, heard: HeardWindow, hop_s: float) -> None:
        """Take note of a window."""
        if heard.is_doubtful:
            self.lasting_s += hop_s
            self.accepted_s += hop_s * self.is_accepted
        else:  # it was normal for as long as it lasted; what comes later is another matter
            self.lasting_s, self.is_accepted = 0.0, False

    def forbidden(self, heard: HeardWindow) -> Iterator[tuple[int, int]]:
        """The cells of a window that must not be learned: of each part the first, and the last (not included), absolute."""
        span = heard.span
        if heard.is_doubtful and not self.is_accepted:
            yield span.first, span.last
            return
        steps = np.diff(np.concatenate([[0], heard.left_out.astype(np.int8), [0]]))
        for first, last in zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True):
            yield span.first + first, span.first + last
