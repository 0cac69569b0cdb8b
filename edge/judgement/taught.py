"""Sounds that a person has judged: those of false alarms are not heard as the machine's any more, those of real faults always are.

A sound that is like a taught one is left out of the window, as if these moments had been lost: no head judges them, and each of them judges
the rest as it did before. So nothing is raised for anything else, and without the sound all scores are again what they were, bit for bit.

A moment is like a taught one when it is unlike it by less than `ALIKE` (edge/judgement/likeness.py), and not more like one of a real
fault. Then it must be as rare: what was a hiss between two syllables does not explain a bearing that hisses all the time, so a taught
moment counts only while a window has no more than `AS_MANY` times as many like it as the window that it was taught in. And it is a whole
sound that is explained or not: from the first to the last moment that stands out, most of it must be like what was taught.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.judgement.likeness import LEAST_DB, at_gains, beyond_usual, standing, unlikeness, usual_of
from edge.judgement.long_average import WINDOWS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

ALIKE = 0.27
AS_MANY, A_FEW = 2.0, 3.0
MOST = 0.5  # of a sound, by how much it stands out
PAUSE_CELLS = 8  # within one sound: between syllables
BEFORE_CELLS, AFTER_CELLS = 8, 16  # that hear some of it: features reach as far, and averages are of blocks
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class EventSound:
    """What stood out in an event: some of its moments, in no order."""

    event: str  # its id
    beyond: Float32  # (moment, band) dB, how much louder than usual
    common: Int64  # (moment,) how many moments of one window were like it

    def __len__(self) -> int:
        return len(self.beyond)


class Taught:
    """The sounds of some events in force for one bundle. The same sounds give the same scores, in whatever order they were taught."""

    def __init__(self, false_alarms: Sequence[EventSound], real: Sequence[EventSound], spread_db: Float64) -> None:
        """`spread_db`, shape = (band,), is how much frames of the machine's sound vary."""
        self.spread_db = spread_db
        ordered = [sorted(sounds, key=lambda sound: sound.event) for sounds in (false_alarms, real)]
        self.events = tuple(tuple(sound.event for sound in sounds) for sounds in ordered)  # of either kind
        self._false, self._real = (_standing(sounds, spread_db) for sounds in ordered)
        self._common = np.concatenate([np.zeros(0, np.int64), *(sound.common for sound in ordered[0])])  # (moment,)

    @property
    def moments(self) -> int:
        """Of false alarms."""
        return len(self._common)

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be recognised."""
        return self.moments == 0 and self._real.shape[1] == 0

    @property
    def most_alike(self) -> NDArray[np.float64]:
        """Up to how many moments of a window may be like each, shape = (moment,)."""
        return AS_MANY * self._common + A_FEW

    def alike(self, moments: Float32) -> Bools:
        """Which taught moments of false alarms each of these is like, by what stands out, (moment, band): shape = (moment, taught)."""
        unlike = _least(moments, self._false)
        nearest = unlike.min(axis=1, initial=np.inf)
        other = _least(moments, self._real).min(axis=1, initial=np.inf)
        alike: Bools = (unlike <= ALIKE) & (nearest < other)[:, None]
        return alike

    def is_real(self, moments: Float32) -> Bools:
        """Which of these are like a moment of a real fault, shape = (moment,)."""
        real: Bools = _least(moments, self._real).min(axis=1, initial=np.inf) <= ALIKE
        return real


class Recogniser:
    """Recognises taught sounds in the windows of one stream. Each moment is compared once, when the first window has it."""

    def __init__(self, taught: Taught, window_cells: int) -> None:
        self.taught = taught
        self._cells = np.full(window_cells, UNKNOWN)  # (cell modulo window,) which absolute cell is there
        self._stands = np.zeros(window_cells, np.float32)  # dB of all bands; 0 where it does not stand out
        self._alike = np.zeros((window_cells, taught.moments), np.bool_)
        self._real = np.zeros(window_cells, np.bool_)
        self.hears_real = False  # whether the latest window has a sound like that of a real fault
        self._left_out = np.zeros((1 + WINDOWS) * window_cells, np.bool_)  # (cell modulo length,) as the latest window has it
        self._told = 0  # absolute cell up to which that is known

    def left_out_before(self, last_cell: int) -> Bools:
        """The cells that are left out of the latest windows, in order, shape = (time,), before an absolute cell."""
        before = np.arange(last_cell - len(self._left_out), last_cell)
        out: Bools = self._left_out[before % len(self._left_out)] & (before < self._told)
        return out

    def explained(self, first_cell: int, decibels: Float32) -> Bools:
        """The cells that are left out of a window from `first_cell` on, shape = (time,), of its decibels, (time, band), NaN where lost."""
        cells = first_cell + np.arange(len(decibels))
        rows = cells % len(self._cells)
        self._hear(cells, rows, decibels)
        stands, alike = self._stands[rows], self._alike[rows]
        allowed = alike.sum(axis=0) <= self.taught.most_alike
        known = (alike & allowed).any(axis=1)
        explained = np.zeros(len(cells), np.bool_)
        self.hears_real = False
        for sound in sounds(stands > 0.0):
            own = stands[sound]
            self.hears_real |= bool(own[self._real[rows][sound]].sum() >= MOST * own.sum())
            if own[known[sound]].sum() >= MOST * own.sum():
                explained[max(0, sound.start - BEFORE_CELLS) : sound.stop + AFTER_CELLS] = True
        begun = cells[: min(AFTER_CELLS, max(0, self._told - first_cell))]  # their sound may have been before this window
        explained[: len(begun)] |= self._left_out[begun % len(self._left_out)]
        self._remember(cells, explained)
        return explained

    def _remember(self, cells: Int64, explained: Bools) -> None:
        if cells[0] > self._told:  # nothing was heard for longer than a window
            gap = np.arange(max(self._told, int(cells[0]) - len(self._left_out)), cells[0])
            self._left_out[gap % len(self._left_out)] = False
        self._left_out[cells % len(self._left_out)] = explained
        self._told = int(cells[-1]) + 1

    def _hear(self, cells: Int64, rows: Int64, decibels: Float32) -> None:
        new = np.flatnonzero((self._cells[rows] != cells) & ~np.isnan(decibels[:, 0]))
        others = rows[self._cells[rows] != cells]
        self._stands[others], self._alike[others], self._real[others] = 0.0, False, False
        self._cells[rows] = cells
        if not len(new):
            return
        moments = standing(beyond_usual(decibels[new], usual_of(decibels)), self.taught.spread_db)
        stands = moments.sum(axis=1)
        loud = stands >= LEAST_DB
        self._stands[rows[new[loud]]] = stands[loud]
        if loud.any():
            self._alike[rows[new[loud]]] = self.taught.alike(moments[loud])
            self._real[rows[new[loud]]] = self.taught.is_real(moments[loud])


def sounds(stands_out: Bools) -> Iterator[slice]:
    """The sounds of a window, each from its first to its last moment that stands out, with pauses in between, of shape (time,)."""
    places = np.flatnonzero(stands_out)
    if len(places):
        for part in np.split(places, np.flatnonzero(np.diff(places) > PAUSE_CELLS) + 1):
            yield slice(int(part[0]), int(part[-1]) + 1)


def alike_at_gains(beyond: Float32, others: Float32, spread_db: Float64) -> Bools:
    """Which moments are like which others at some gain, shape = (moment, other), of what both have beyond the usual, (n, band) dB."""
    alike: Bools = _least(standing(beyond, spread_db), _at_gains(others, spread_db)) <= ALIKE
    return alike


def _standing(sounds: Sequence[EventSound], spread_db: Float64) -> Float32:
    """What stands out of all moments at all gains, shape = (gain, moment, band)."""
    return _at_gains(np.concatenate([np.zeros((0, len(spread_db)), np.float32), *(sound.beyond for sound in sounds)]), spread_db)


def _at_gains(beyond: Float32, spread_db: Float64) -> Float32:
    return np.stack([standing(one, spread_db) for one in at_gains(beyond)])


def _least(moments: Float32, others: Float32) -> Float32:
    """How unlike moments are to others at whatever gain is nearest, shape = (moment, other), of (moment, band) and (gain, other, band)."""
    least: Float32 = np.min([unlikeness(moments, one) for one in others], axis=0)
    return least
