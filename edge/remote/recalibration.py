"""A threshold from recent sound of a node, by the same rule as in calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.judgement.tail_fit import fit_tail, supported_false_alarms_per_week
from edge.judgement.threshold import Moved
from edge.remote.requests import CommandError
from edge.remote.score_record import BIN_S, Bins

LEAST_S = 3600.0  # of sound that can be used; less says little of a week
LEAST_FACTOR, MOST_FACTOR = 0.5, 3.0  # beyond these it is another machine, or a broken microphone: calibrate again

Span = tuple[int, int]
"""First and last bin."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """What the sound asks for, and what it rests on."""

    moved: Moved
    clipped: bool
    is_held: bool  # lower than the sound asks for, because of an event that was real
    heard_s: float
    used_s: float

    @property
    def supported_false_alarms_per_week(self) -> float:
        """The rate that so much sound supports without extrapolation."""
        return supported_false_alarms_per_week(self.used_s)


def recalibrate(
    bins: Bins, left_out: Sequence[Span], own_surprise: float, false_alarms_per_week: float, highest: float = math.inf
) -> Recalibration:
    """Fit the tail of recent scores and set the threshold so that it is exceeded so many times a week.

    Parameters
    ----------
    bins
        Numbers and surprise, each shape = (bins,); see `ScoreRecord.bins`.
    left_out
        Bins whose sound does not count as normal.
    own_surprise
        At the bundle's own threshold.
    highest
        Surprise that the threshold may not exceed: that of the faintest event that was real.

    Raises
    ------
    CommandError
        when too little is left.
    """
    numbers, surprise = bins
    is_normal = np.ones(len(numbers), np.bool_)  # (bins,)
    for first, last in left_out:
        is_normal[slice(*np.searchsorted(numbers, [first, last + 1]))] = False
    used_s = BIN_S * float(np.count_nonzero(is_normal))
    if used_s < LEAST_S:
        without = BIN_S * len(numbers) - used_s
        besides = (
            f" ({without / 60.0:.0f} minutes are left out for events that are not marked as false alarms, or not known any more)"
            if without
            else ""
        )
        raise CommandError(
            f"{used_s / 60.0:.0f} minutes of its normal sound were heard with this bundle{besides}; {LEAST_S / 60.0:.0f} are needed: "
            f"send it again in {(LEAST_S - used_s) / 60.0:.0f} minutes of sound or more"
        )
    tail = fit_tail(_stretches(numbers[is_normal], surprise[is_normal]), BIN_S)
    wanted = tail.surprise_at(false_alarms_per_week) / own_surprise
    factor = min(max(wanted, LEAST_FACTOR), MOST_FACTOR)
    allowed = min(factor, max(LEAST_FACTOR, highest / own_surprise))
    return Recalibration(Moved(allowed, tail), factor != wanted, allowed < factor, BIN_S * len(numbers), used_s)


def _stretches(numbers: NDArray[np.int64], surprise: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Sound without a gap, each shape = (bins,)."""
    return np.split(surprise, np.flatnonzero(np.diff(numbers) != 1) + 1)
