"""The averages of normal sound: fits the heads of `edge/judgement/steady.py`.

Windows are as long as those that will be judged, one after the other. A recording is never judged by itself: how high a statistic gets on
normal sound comes from windows of one fold against all others, whole recordings where there are enough (calibrate/folds.py).

A statistic in which normal windows differ by more than a fault would change them tells little, and says much: how far a window is from the
few that are known is then chance. So its nats have a weight, 1 / (1 + (s / f)^2), the weight that the logarithm of a Bayes factor has where
normal windows vary by s and a fault adds another f.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibrate.block_averages import BlockAverages
from calibrate.covariance import ledoit_wolf
from calibrate.folds import Folds
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.long_average import WINDOWS
from edge.judgement.statistic import PRIOR_WINDOWS, Normal, Statistic
from edge.judgement.steady import LONGER, QUESTIONS, Question, Steady, WindowEvidence, more_evidence
from edge.judgement.window_sound import WindowSound

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Vectors = dict[str, Float64]

# dB. The least that windows of a machine are taken to vary by, counted as much as four of them: few recordings may agree by chance.
LEAST_DEVIATION = {"level": 0.3, "profile": 0.5, "shape": 0.5, "low": 0.5, "dynamics": 0.3}
# dB. What is added to any number of windows: a machine is steady to a hundredth of a decibel for an hour; over the weeks its microphone,
# and the air before it, are not.
LASTING_DEVIATION = {"level": 0.2, "profile": 0.2, "shape": 0.2, "low": 0.2, "dynamics": 0.1}
GAIN_DEVIATION = 1.0  # dB, in all bands of a spectrum at once: a gain that drifts is for the level to tell
LEAST_SPREAD = 0.1  # of the mean of a distance, likewise
FAULT = {"level": 2.0, "profile": 2.0, "shape": 2.0, "low": 2.0, "dynamics": 1.0}  # dB that a fault adds
FEWEST_WINDOWS = 3  # that can tell how windows differ
MOST_WINDOWS = 3000  # that a covariance is made of
SHORTER = (0.1, 0.3)  # parts of a window that are measured too, and a single block: for files and gaps


@dataclass(frozen=True, slots=True)
class _Window:
    recording: int
    first_block: int
    last_block: int  # not included
    fold: int


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose blocks are whose."""

    averages: Sequence[BlockAverages]
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


class FittedSteady:
    """The heads, and their evidence in held-out normal windows."""

    def __init__(self, steady: Steady, arrays: dict[str, NDArray[np.generic]], folds: dict[int, Steady], owner: _Owner) -> None:
        self.steady = steady
        self.arrays = arrays
        self._folds = folds
        self._owner = owner

    def held_out(self, recording: int, first_block: int, last_block: int) -> dict[str, float]:
        """The evidence of each head in blocks of a recording, in nats, without their fold; that of the long window, if it is more."""
        judge = self._folds[self._owner.fold(recording, first_block, last_block)]
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
        judge = self._folds[self._owner.fold(recording, first_block, last_block)]
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
    owner = _Owner(averages, folds, indices)
    windows = _windows(owner, window_cells)
    vectors = [_vectors(owner, sound, window) for window in windows]
    questions = {name: one for name, one in QUESTIONS.items() if one.head in heads and _is_known(one.vector, windows, vectors)}
    needed = {one.vector for one in questions.values()}
    if not needed:
        return None
    numbers = sorted({window.fold for window in windows})
    by_fold = {
        fold: {name: _normal(name, [v for v, window in zip(vectors, windows, strict=True) if window.fold != fold]) for name in needed}
        for fold in numbers
    }
    normal = {name: _normal(name, vectors) for name in needed}
    usual = float(np.median([averages[window.recording].mean(window.first_block, window.last_block)[1] for window in windows]))
    units = len({window.recording for window in windows}) if folds.whole else len(windows)
    statistics = {
        name: _statistic(one, normal[one.vector], _values(one, by_fold, windows, owner, sound), usual, units)
        for name, one in questions.items()
    }
    arrays: dict[str, NDArray[np.generic]] = {}
    for name in sorted(needed):
        is_whitened = any(one.vector == name and one.kind == "whitened" for one in questions.values())
        arrays |= (normal[name] if is_whitened else replace(normal[name], whitening=None)).arrays(name)
    for name, statistic in statistics.items():
        arrays |= statistic.arrays(name)
    judges = {fold: Steady(sound, own, statistics) for fold, own in by_fold.items()}
    everyone = Steady(sound, normal, statistics)
    return FittedSteady(everyone, arrays, {fold: judges.get(fold, everyone) for fold in range(folds.count)}, owner)


def _windows(owner: _Owner, window_cells: int) -> list[_Window]:
    """Windows one after the other; of a recording that is no longer than one, itself. Shorter ones, where there are too few."""
    heard = sum(one.cells for one in owner.averages)
    length = max(1, round(window_cells / BLOCK_CELLS))
    if not owner.folds.whole:
        length = max(1, min(length, heard // BLOCK_CELLS // (2 * owner.folds.count)))
    found = []
    for recording, one in enumerate(owner.averages):
        blocks = one.blocks
        count = max(1, round(blocks / length))
        edges = np.linspace(0, blocks, count + 1).round().astype(int) if blocks < length * count else length * np.arange(count + 1)
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if last > first and one.mean(first, last)[1]:
                found.append(_Window(recording, first, last, owner.fold(recording, first, last)))
    step = max(1, -(-len(found) // MOST_WINDOWS))
    return found[::step]


def _vectors(owner: _Owner, sound: WindowSound, window: _Window) -> Vectors:
    return sound.of_mean(owner.averages[window.recording].mean(window.first_block, window.last_block)[0])


def _is_known(name: str, windows: Sequence[_Window], vectors: Sequence[Vectors]) -> bool:
    """Whether enough windows have a vector, in every fold's eyes."""
    folds = [window.fold for window, own in zip(windows, vectors, strict=True) if name in own]
    return len(set(folds)) > 1 and all(len(folds) - folds.count(fold) >= FEWEST_WINDOWS - 1 for fold in set(folds))


def _normal(name: str, vectors: Sequence[Vectors]) -> Normal:
    known = np.array([own[name] for own in vectors if name in own])  # (window, dimension)
    centre = known.mean(axis=0)
    squares = np.square(known - centre).sum(axis=0)
    variance = (squares + PRIOR_WINDOWS * LEAST_DEVIATION[name] ** 2) / (len(known) - 1 + PRIOR_WINDOWS)
    scale = np.sqrt(variance + LASTING_DEVIATION[name] ** 2)
    covariance = ledoit_wolf((known - centre) / scale, PRIOR_WINDOWS / (len(known) - 1 + PRIOR_WINDOWS))
    if name in ("profile", "low"):
        covariance += np.outer(GAIN_DEVIATION / scale, GAIN_DEVIATION / scale)
    values, axes = np.linalg.eigh(covariance)
    return Normal(centre, scale, axes / np.sqrt(np.maximum(values, 1e-6)))


def _values(
    question: Question, by_fold: dict[int, dict[str, Normal]], windows: Sequence[_Window], owner: _Owner, sound: WindowSound
) -> list[tuple[int, float]]:
    """Cells, and the statistic that they gave, of windows and parts of them that their judge had not heard."""
    found = []
    plain = Statistic(question.kind, np.ones(1), np.zeros(1), np.ones(1), 1.0, 1.0, question.number)
    for window in windows:
        normal = by_fold[window.fold][question.vector]
        length = window.last_block - window.first_block
        first = owner.long_first(window.recording, window.first_block, window.last_block)
        if first < window.first_block:
            means, cells = owner.averages[window.recording].mean(first, window.last_block)
            if question.vector in (vectors := sound.of_mean(means)):
                found.append((cells, plain.value(normal.standardised(vectors[question.vector]), normal.whitening)))
        for blocks in sorted({*_shorter(length), length}):
            for first in sorted({window.first_block, window.first_block + (length - blocks) // 2, window.last_block - blocks}):
                means, cells = owner.averages[window.recording].mean(first, first + blocks)
                vector = sound.of_mean(means).get(question.vector) if cells else None
                if vector is not None:
                    found.append((cells, plain.value(normal.standardised(vector), normal.whitening)))
    return found


def _shorter(blocks: float) -> list[int]:
    """How many blocks the parts of a window of so many have that are measured too."""
    return sorted({1, *(max(1, round(part * blocks)) for part in SHORTER)})


def _statistic(question: Question, normal: Normal, values: Sequence[tuple[int, float]], usual: float, units: int) -> Statistic:
    """A statistic of values, each of so many cells; windows of `usual` cells are what the normal vector was made of."""
    cells, reached = (np.array(column, np.float64) for column in zip(*values, strict=True))
    whole = (cells >= 0.5 * usual) & (cells < LONGER * usual)
    shorter = [BLOCK_CELLS * blocks for blocks in _shorter(usual / BLOCK_CELLS) if BLOCK_CELLS * blocks < 0.5 * usual]
    groups = [*(np.abs(np.log(cells / length)) < 0.5 for length in shorter), whole, cells >= LONGER * usual]
    table = [(float(np.median(cells[group])), *_spread(question, reached[group])) for group in groups if group.sum() >= FEWEST_WINDOWS]
    lengths, centres, spreads = (np.array(column) for column in zip(*table, strict=True))
    if question.kind == "signed":
        spreads = np.maximum.accumulate((spreads / _spread(question, reached[whole])[1])[::-1])[::-1]
    kept = np.append(np.diff(lengths) > 0, True)
    precision = np.square(normal.whitening).sum(axis=1) if normal.whitening is not None and question.kind != "signed" else 1.0
    apart = normal.scale / np.sqrt(precision)
    deviation = float(apart[question.number]) if question.kind == "signed" else float(np.median(apart))
    weight = 1.0 / (1.0 + (deviation / FAULT[question.vector]) ** 2)
    return Statistic(question.kind, lengths[kept], centres[kept], spreads[kept], float(units), weight, question.number)


def _spread(question: Question, reached: Float64) -> tuple[float, float]:
    """The mean of a distance and how much it varies; a signed number varies about 0."""
    if question.kind == "signed":
        return 0.0, float(np.sqrt((np.square(reached).sum() + PRIOR_WINDOWS) / (len(reached) + PRIOR_WINDOWS)))
    mean = float(reached.mean())
    squares = float(np.square(reached - mean).sum()) + PRIOR_WINDOWS * (LEAST_SPREAD * mean) ** 2
    return mean, float(np.sqrt(squares / (len(reached) - 1 + PRIOR_WINDOWS)))
