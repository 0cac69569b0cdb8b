"""The heads of steady sound of normal windows, whatever these come from: what `edge/judgement/steady.py` judges by.

A window is never judged by itself: how high a statistic gets on normal sound comes from windows of one fold against all others.

A statistic in which normal windows differ by more than a fault would change them tells little, and says much: how far a window is from the
few that are known is then chance. So its nats have a weight, 1 / (1 + (s / f)^2), the weight that the logarithm of a Bayes factor has where
normal windows vary by s and a fault adds another f.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibrate.covariance import ledoit_wolf
from edge.console.progress import progress
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.statistic import PRIOR_WINDOWS, Normal, Statistic
from edge.judgement.steady import LONGER, QUESTIONS, Question, Steady
from edge.judgement.window_sound import WindowSound

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Vectors = dict[str, Float64]
Mean = tuple[Float64, int]  # of cells, shape = (column,), and how many these are

# dB. The least that windows of a machine are taken to vary by, counted as much as four of them: few recordings may agree by chance.
LEAST_DEVIATION = {"level": 0.3, "profile": 0.5, "shape": 0.5, "low": 0.5, "dynamics": 0.3}
# dB. What is added to any number of windows: a machine is steady to a hundredth of a decibel for an hour; over the weeks its microphone,
# and the air before it, are not.
LASTING_DEVIATION = {"level": 0.2, "profile": 0.2, "shape": 0.2, "low": 0.2, "dynamics": 0.1}
GAIN_DEVIATION = 1.0  # dB, in all bands of a spectrum at once: a gain that drifts is for the level to tell
LEAST_SPREAD = 0.1  # of the mean of a distance, likewise
FAULT = {"level": 2.0, "profile": 2.0, "shape": 2.0, "low": 2.0, "dynamics": 1.0}  # dB that a fault adds
FEWEST_WINDOWS = 3  # that can tell how windows differ
SHORTER = (0.1, 0.3)  # parts of a window that are measured too, and a single block: for files and gaps


class NormalWindow(Protocol):
    """A window of normal sound."""

    @property
    def fold(self) -> int:
        """That it is of."""

    def mean(self) -> Mean:
        """Of all of it."""

    def measured(self) -> Iterator[Mean]:
        """Itself, parts of it, and the long window that ends with it, if it has one: a statistic varies as its length does."""


@dataclass(frozen=True, slots=True)
class NormalSteady:
    """The heads, the arrays of a bundle that hold them, and for each fold heads that have not heard it."""

    steady: Steady
    arrays: dict[str, NDArray[np.generic]]
    without: Mapping[int, Steady]

    def judge(self, fold: int) -> Steady:
        """Heads that have not heard a fold; all of it, where the fold has no window."""
        return self.without.get(fold, self.steady)


def fit_normal_steady(windows: Sequence[NormalWindow], sound: WindowSound, heads: Sequence[str], units: int) -> NormalSteady | None:
    """Fit the heads of these names; None when there is too little sound for any. `units` is how many windows or recordings there are."""
    means = [window.mean() for window in windows]
    vectors = [sound.of_mean(mean) for mean, _ in means]
    folds = [window.fold for window in windows]
    questions = {name: one for name, one in QUESTIONS.items() if one.head in heads and _is_known(one.vector, folds, vectors)}
    needed = {one.vector for one in questions.values()}
    if not needed:
        return None
    by_fold = {
        number: {name: _normal(name, [v for v, fold in zip(vectors, folds, strict=True) if fold != number]) for name in needed}
        for number in sorted(set(folds))
    }
    normal = {name: _normal(name, vectors) for name in needed}
    usual = float(np.median([cells for _, cells in means]))
    statistics = {
        name: _statistic(one, normal[one.vector], _values(one, by_fold, windows, sound), usual, units)
        for name, one in progress(questions.items(), label="comparing windows")
    }
    arrays: dict[str, NDArray[np.generic]] = {}
    for name in sorted(needed):
        is_whitened = any(one.vector == name and one.kind == "whitened" for one in questions.values())
        arrays |= (normal[name] if is_whitened else replace(normal[name], whitening=None)).arrays(name)
    for name, statistic in statistics.items():
        arrays |= statistic.arrays(name)
    return NormalSteady(Steady(sound, normal, statistics), arrays, {fold: Steady(sound, own, statistics) for fold, own in by_fold.items()})


def _is_known(name: str, folds: Sequence[int], vectors: Sequence[Vectors]) -> bool:
    """Whether enough windows have a vector, in every fold's eyes."""
    known = [fold for fold, own in zip(folds, vectors, strict=True) if name in own]
    return len(set(known)) > 1 and all(len(known) - known.count(fold) >= FEWEST_WINDOWS - 1 for fold in set(known))


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
    question: Question, by_fold: Mapping[int, Mapping[str, Normal]], windows: Sequence[NormalWindow], sound: WindowSound
) -> list[tuple[int, float]]:
    """Cells, and the statistic that they gave, of windows and parts of them that their judge had not heard."""
    found = []
    plain = Statistic(question.kind, np.ones(1), np.zeros(1), np.ones(1), 1.0, 1.0, question.number)
    for window in windows:
        normal = by_fold[window.fold][question.vector]
        for means, cells in window.measured():
            vector = sound.of_mean(means).get(question.vector) if cells else None
            if vector is not None:
                found.append((cells, plain.value(normal.standardised(vector), normal.whitening)))
    return found


def shorter_parts(blocks: float) -> list[int]:
    """How many blocks the parts of a window of so many have that are measured too."""
    return sorted({1, *(max(1, round(part * blocks)) for part in SHORTER)})


def _statistic(question: Question, normal: Normal, values: Sequence[tuple[int, float]], usual: float, units: int) -> Statistic:
    """A statistic of values, each of so many cells; windows of `usual` cells are what the normal vector was made of."""
    cells, reached = (np.array(column, np.float64) for column in zip(*values, strict=True))
    whole = (cells >= 0.5 * usual) & (cells < LONGER * usual)
    shorter = [BLOCK_CELLS * blocks for blocks in shorter_parts(usual / BLOCK_CELLS) if BLOCK_CELLS * blocks < 0.5 * usual]
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
