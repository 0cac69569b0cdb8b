"""The heads of steady sound of recordings: windows as long as those that will be judged, one after the other.

A recording is never judged by itself, but by all others: whole recordings where there are enough (calibrate/folds.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibrate.block_averages import BlockAverages
from calibrate.folds import Folds
from calibrate.normal_steady import Mean, NormalSteady, fit_normal_steady, shorter_parts
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.long_average import WINDOWS
from edge.judgement.steady import LONGER, Steady, WindowEvidence, more_evidence
from edge.judgement.window_sound import WindowSound

MOST_WINDOWS = 3000  # that a covariance is made of


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose blocks are whose."""

    averages: Mapping[int, BlockAverages]  # by recording
    folds: Folds
    indices: Sequence[int]  # of the recordings, among those that the folds know

    def fold(self, recording: int, first_block: int, last_block: int) -> int:
        return self.folds.of(self.indices[recording], BLOCK_CELLS * (first_block + last_block) // 2)

    def long_first(self, recording: int, first_block: int, last_block: int) -> int:
        """Where the long window begins that ends with a window, within its fold; the window's own beginning where it is hardly longer."""
        length = last_block - first_block
        fold = self.fold(recording, first_block, last_block)
        first = first_block
        while first > max(0, last_block - WINDOWS * length) and self.folds.of(self.indices[recording], BLOCK_CELLS * (first - 1)) == fold:
            first -= 1
        return first if last_block - first >= LONGER * length else first_block


@dataclass(frozen=True, slots=True)
class _Window:
    """A `NormalWindow`."""

    owner: _Owner
    recording: int
    first_block: int
    last_block: int  # not included
    fold: int

    def mean(self) -> Mean:
        return self._mean(self.first_block, self.last_block)

    def measured(self) -> Iterator[Mean]:
        length = self.last_block - self.first_block
        long_first = self.owner.long_first(self.recording, self.first_block, self.last_block)
        if long_first < self.first_block:
            yield self._mean(long_first, self.last_block)
        for blocks in sorted({*shorter_parts(length), length}):
            for first in sorted({self.first_block, self.first_block + (length - blocks) // 2, self.last_block - blocks}):
                yield self._mean(first, first + blocks)

    def _mean(self, first_block: int, last_block: int) -> Mean:
        return self.owner.averages[self.recording].mean(first_block, last_block)


class FittedSteady:
    """The heads, and their evidence in held-out normal windows."""

    def __init__(self, normal: NormalSteady, owner: _Owner) -> None:
        self.steady = normal.steady
        self.arrays: dict[str, NDArray[np.generic]] = normal.arrays
        self._normal = normal
        self._owner = owner

    def of(self, recordings: Collection[int]) -> FittedSteady:
        """The same with the averages of a few recordings, for a process that asks about these only."""
        averages = {recording: self._owner.averages[recording] for recording in recordings}
        return FittedSteady(self._normal, replace(self._owner, averages=averages))

    def held_out(self, recording: int, first_block: int, last_block: int) -> dict[str, float]:
        """The evidence of each head in blocks of a recording, in nats, without their fold; that of the long window, if it is more."""
        judge = self._normal.judge(self._owner.fold(recording, first_block, last_block))
        long_first = self._owner.long_first(recording, first_block, last_block)
        short = self._said(judge, recording, first_block, last_block)
        if long_first == first_block or judge.longest_cells < LONGER * BLOCK_CELLS * (last_block - first_block):
            return short.nats
        return more_evidence(short, self._said(judge, recording, long_first, last_block)).nats

    def _said(self, judge: Steady, recording: int, first_block: int, last_block: int) -> WindowEvidence:
        means, cells = self._owner.averages[recording].mean(first_block, last_block)
        return WindowEvidence(judge.evidence_of(judge.sound.of_mean(means), cells) if cells else {}, means)

    def held_out_louder(self, recording: int, first_block: int, last_block: int, band_hz: tuple[float, float], by_db: float) -> float:
        """What all heads together would make of the blocks, in nats, if a band were louder by so many dB."""
        means, cells = self._owner.averages[recording].mean(first_block, last_block)
        judge = self._normal.judge(self._owner.fold(recording, first_block, last_block))
        return sum(judge.evidence_of(judge.sound.of_mean(judge.sound.louder(means, band_hz, by_db)), cells).values()) if cells else 0.0


def fit_steady(
    averages: Sequence[BlockAverages], indices: Sequence[int], folds: Folds, sound: WindowSound, window_cells: int, heads: Sequence[str]
) -> FittedSteady | None:
    """Fit the heads of these names; None when there is too little sound for any.

    Parameters
    ----------
    averages : of the recordings in which anything was heard.
    indices : of these among all that the folds are of.
    """
    owner = _Owner(dict(enumerate(averages)), folds, indices)
    windows = _windows(owner, window_cells)
    units = len({window.recording for window in windows}) if folds.whole else len(windows)
    normal = fit_normal_steady(windows, sound, heads, units)
    return None if normal is None else FittedSteady(normal, owner)


def _windows(owner: _Owner, window_cells: int) -> list[_Window]:
    """Windows one after the other; of a recording that is no longer than one, itself. Shorter ones, where there are too few."""
    heard = sum(one.cells for one in owner.averages.values())
    length = max(1, round(window_cells / BLOCK_CELLS))
    if not owner.folds.whole:
        length = max(1, min(length, heard // BLOCK_CELLS // (2 * owner.folds.count)))
    found = []
    for recording, one in owner.averages.items():
        blocks = one.blocks
        count = max(1, round(blocks / length))
        edges = np.linspace(0, blocks, count + 1).round().astype(int) if blocks < length * count else length * np.arange(count + 1)
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if last > first and one.mean(first, last)[1]:
                found.append(_Window(owner, recording, first, last, owner.fold(recording, first, last)))
    step = max(1, -(-len(found) // MOST_WINDOWS))
    return found[::step]
