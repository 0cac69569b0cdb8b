"""The heads of steady sound, from the averages in a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.in_place.learned_sound import PARTS, Averages
from calibrate.normal_steady import Mean, NormalSteady, fit_normal_steady
from edge.judgement.steady import Steady, WindowEvidence, more_evidence
from edge.judgement.window_sound import WindowSound
from edge.learning.stretch import STRETCH_WINDOWS

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StretchWindow:
    """One of the windows of a stretch; a `NormalWindow`, and a `LimitWindow` once it is known what judges it."""

    averages: Averages
    place: int

    @property
    def fold(self) -> int:
        """That it is of."""
        return self.averages.fold

    @property
    def is_last(self) -> bool:
        """Whether the long window ends with it, and parts of it are known."""
        return self.place == STRETCH_WINDOWS - 1

    def mean(self) -> Mean:
        """See `NormalWindow`."""
        return self._part(self.place)

    def long(self) -> Mean:
        """Of the long window."""
        return self._part(PARTS - 1)

    def measured(self) -> Iterator[Mean]:
        """See `NormalWindow`."""
        yield self.mean()
        if self.is_last:
            for part in range(PARTS - 1, len(self.averages.means)):
                yield self._part(part)

    def _part(self, part: int) -> Mean:
        return self.averages.means[part], self.averages.cells[part]


def stretch_windows(averages: Sequence[Averages]) -> list[StretchWindow]:
    """All of them."""
    return [StretchWindow(one, place) for one in averages for place in range(STRETCH_WINDOWS)]


def fit_learned_steady(windows: Sequence[StretchWindow], sound: WindowSound, heads: Sequence[str]) -> NormalSteady | None:
    """Fit the heads of these names; None when there is too little sound for any."""
    return fit_normal_steady(windows, sound, heads, len(windows))


def held_out_nats(steady: NormalSteady, window: StretchWindow) -> float:
    """What the heads make of a window when they have not heard its fold, in nats; of the long window that ends with it, if that is more."""
    judge = steady.judge(window.fold)
    short = _said(judge, window.mean())
    said = more_evidence(short, _said(judge, window.long())) if window.is_last else short
    return sum(said.nats.values())


def louder_nats(steady: NormalSteady, window: StretchWindow, band_hz: tuple[float, float], by_db: float) -> float:
    """The same of the window alone, if a band were louder by so many dB."""
    judge = steady.judge(window.fold)
    means, cells = window.mean()
    return sum(_said(judge, (judge.sound.louder(means, band_hz, by_db), cells)).nats.values())


def _said(judge: Steady, mean: Mean) -> WindowEvidence:
    means, cells = mean
    return WindowEvidence(judge.evidence_of(judge.sound.of_mean(means), cells), means)
