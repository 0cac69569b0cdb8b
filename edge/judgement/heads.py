"""Heads: the questions that a window is asked of each feature, and one answer from all of them.

A machine can fail in a moment (a knock) and for good (a bearing that hisses a little, all the time). The largest deviation of a window
hears the first and is deaf to the second; the mean over the window hears the second: it is small, but normal sound keeps it far smaller. So
a feature has two heads:

moment     The mean of the five largest contrasts in one column of cells; of a window, the largest. ("From Vision to Sound", section 3.2.3,
           reads moments off a map in this way; a maximum over single cells rests on the noisiest band.)
sustained  The mean over all cells of a window.

Contrast is deviation less three quarters of what is usual in the window: its median, band by band. Another load, another day or another
microphone makes a whole window deviate by as much, and a moment is what differs from its surroundings; what they have in common is for the
sustained head to judge. (Not all of it: a fault that lasts for most of a short recording is usual there.)

The excess of each band is a feature of moments only, and all that is usual is taken off it: a fault adds sound more often than not, and how
loud the whole window is, is for the level. Where there is an excess, log-mel patches have the sustained head only: of a moment, the excess
says the same, and more clearly (with both, real machines were told apart less well).

largest    The largest deviation of any cell of a window. It is the score of the published systems, for comparison with them; it is had only
           when asked for.

The level, which has one band, has the second only. What a head says is brought to the same unit for all by what normal sound reached
(calibrate/head_scale.py) and then counted as evidence, which grows as the logarithm of surprise: the scale of a head rests on few rare
moments, so how far something is beyond them is known in order of magnitude only (with a scale that is itself uncertain, an exponential tail
becomes a Lomax tail). The evidence of a window is the sum over its heads, in the manner of Fisher's method, and its surprise is what two
heads would have to say alike for that sum: back in nats, in which the tail of normal sound is close to an exponential.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import EXCESS, LOGMEL
from edge.judgement.window import ALARM

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# Endless streams are judged by all heads, and moments against their surroundings; clips of one length, as published: by one head, and a map
# of nothing but distances.
Mode = Literal["stream", "clip"]

LARGEST = 5  # bands of a column
MOST_CELLS = 1 << 40  # of a statistic: more than centuries of sound
USUAL = 0.75  # of the median of a window: what moments are free of
ALL_USUAL = frozenset({EXCESS})  # features of which the whole median is taken off
ALIKE = 2.0  # heads
STANDS_OUT = 5.0  # nats
LEAST_SHARE = 0.05  # of the loudest cell's surprise: what is less beside it is its echo
FAINT_SCORE = 0.49
SECOND_CELLS = 32  # 1.28 s at 32 kHz
CELL, SECOND = "cell", "second"  # no heads: the scales on which single cells, and means over a second, are drawn


@dataclass(frozen=True, slots=True)
class HeadScale:
    """Surprise is counted in nats above `onset`, which one in ten of normal sound reaches: each `scale` further is e times rarer."""

    onset: float
    scale: float
    centre: float  # what normal sound is like: the median
    cells: int  # over how many the statistic was taken; fewer make it less certain

    def check(self) -> None:
        """Raise ValueError when this is no scale at all."""
        if not (self.scale > 0 and 0 < self.cells < MOST_CELLS and np.isfinite([self.onset, self.scale, self.centre]).all()):
            raise ValueError(f"a head of onset {self.onset:g}, scale {self.scale:g} and {str(self.cells)[:20]} cells")

    def surprise(self, statistic: Float64, cells: int) -> Float64:
        """Surprise of a statistic, of any shape, that was taken over so many cells."""
        wider = np.sqrt(max(1.0, self.cells / cells))
        surprise: Float64 = (statistic - self.centre - wider * (self.onset - self.centre)) / (wider * self.scale)
        return surprise


class Heads:
    """The heads of one bundle."""

    def __init__(self, features: Mapping[str, int], scales: Mapping[str, HeadScale], mode: Mode = "stream") -> None:
        """`scales` by `head_names` and, for features with bands, by `drawn_name`; KeyError or ValueError when one lacks or is none."""
        self._moment = {f: scales[name] for f, bands in features.items() if (name := moment_name(f, bands)) in scales}
        self._sustained = {f: scales[name] for f, bands in features.items() if (name := sustained_name(f, bands)) in scales}
        self._largest = {f: scales[name] for f, bands in features.items() if (name := largest_name(f)) in scales and bands > 1}
        judged = {*self._moment, *self._sustained, *self._largest}
        located = [f for f, bands in features.items() if bands > 1 and (mode == "stream" or f in judged)]
        self._drawn = {kind: {feature: scales[drawn_name(feature, kind)] for feature in located} for kind in (CELL, SECOND)}
        self._bands = dict(features)
        self._mode: Mode = mode
        if not self._moment and not self._sustained and not self._largest:
            raise ValueError("no heads")
        for scale in scales.values():
            scale.check()

    def evidence(self, deviations: Mapping[str, Float32]) -> dict[str, float]:
        """What each head makes of a window, feature -> (time, band) with NaN where audio was lost."""
        parts = {}
        for feature, values in deviations.items():
            heard = values[~np.isnan(values[:, 0])].astype(np.float64)  # (time, band)
            if not len(heard):
                continue
            if feature in self._moment:
                largest = self._moment[feature].surprise(moments(contrast(heard, feature)).max(), 1)
                parts[moment_name(feature, self._bands[feature])] = float(evidence_of(largest))
            if feature in self._sustained:
                mean = self._sustained[feature].surprise(heard.mean(), len(heard))
                parts[sustained_name(feature, self._bands[feature])] = float(evidence_of(mean))
            if feature in self._largest:
                parts[largest_name(feature)] = float(evidence_of(self._largest[feature].surprise(heard.max(), 1)))
        return parts

    def cell_surprise(self, deviations: Mapping[str, Float32]) -> Float32:
        """The surprise of each cell of a window, (time, band) float32, by the mean over its features. NaN where audio was lost."""
        return self._surprise(CELL, {feature: shown(deviations[feature], feature, self._mode) for feature in self._drawn[CELL]})

    def drawing(self, deviations: Mapping[str, Float32], score: float) -> Float32:
        """Where the score of a window comes from, (time, band) float32: the most surprising cell has the score, the others in proportion.

        Cells are judged by themselves or, where that is more surprising, by the second around them: a steady tone does not make any cell
        unusual. (Only of an anomalous window: it takes seven times as long.) Cells that do not stand out, by themselves or beside a loud
        fault, stay below half of the alarm; where none does, the window has changed a little everywhere. NaN where audio was lost.
        """
        drawn = self.cell_surprise(deviations)
        if np.isnan(drawn).all():
            return drawn
        if score >= ALARM:
            seconds = self._surprise(SECOND, {feature: over_a_second(deviations[feature]) for feature in self._drawn[SECOND]})
            drawn = max(drawn, seconds, key=np.nanmax)
        loudest = float(np.nanmax(drawn))
        scores = drawn * np.float32(score / max(STANDS_OUT, loudest))
        faint = drawn < max(STANDS_OUT, LEAST_SHARE * loudest)
        return np.where(faint, np.minimum(scores, FAINT_SCORE), scores).astype(np.float32)

    def _surprise(self, kind: str, deviations: Mapping[str, NDArray[np.floating]]) -> Float32:
        surprises = [self._drawn[kind][feature].surprise(values.astype(np.float64), 1) for feature, values in deviations.items()]
        return together(evidence_of(np.mean(surprises, axis=0)) * len(surprises)).astype(np.float32)


def head_names(features: Mapping[str, int]) -> tuple[str, ...]:
    """All heads that streams are judged by."""
    names = []
    for feature, bands in features.items():
        if bands > 1 and not (feature == LOGMEL and EXCESS in features):
            names.append(moment_name(feature, bands))
        if feature != EXCESS:
            names.append(sustained_name(feature, bands))
    return tuple(names)


def comparable_names(features: Mapping[str, int]) -> tuple[str, ...]:
    """All heads that can be asked for, to compare them."""
    banded = [feature for feature, bands in features.items() if bands > 1]
    names = [name for f in banded for name in (moment_name(f, features[f]), sustained_name(f, features[f]), largest_name(f))]
    return tuple(dict.fromkeys((*head_names(features), *names)))


def moment_name(feature: str, bands: int) -> str:
    """The name of a feature's moment head."""
    return f"{feature}_moment"


def sustained_name(feature: str, bands: int) -> str:
    """The name of a feature's sustained head; a feature without bands has no other, so it is called like the feature."""
    return f"{feature}_sustained" if bands > 1 else feature


def largest_name(feature: str) -> str:
    """The name of the head that hears the largest deviation of a feature with bands."""
    return f"{feature}_largest"


def drawn_name(feature: str, kind: str) -> str:
    """The name of the scale on which a feature's cells, or its means over a second, are drawn."""
    return f"{feature}_{kind}"


def moments(deviations: NDArray[np.floating]) -> Float64:
    """The mean of the five largest deviations in each column of cells, shape = (time,), of (time, band) without NaN."""
    bands = deviations.shape[1]
    largest = deviations if bands <= LARGEST else np.partition(deviations, bands - LARGEST, axis=1)[:, bands - LARGEST :]
    means: Float64 = largest.mean(axis=1, dtype=np.float64)
    return means


def contrast(deviations: NDArray[np.floating], feature: str) -> Float64:
    """How far each cell is from normal beyond what is usual around it, shape = (time, band), of a window (time, band); NaN stays so."""
    heard = ~np.isnan(deviations[:, 0])
    if not heard.any():
        return deviations.astype(np.float64)
    share = 1.0 if feature in ALL_USUAL else USUAL
    beyond: Float64 = deviations - share * np.median(deviations[heard].astype(np.float64), axis=0)
    return beyond


def standing_out(deviations: NDArray[np.floating], feature: str) -> Float64:
    """The contrast of each cell plus the mean of its column, shape = (time, band), of a window (time, band); NaN stays so.

    A cell counts for more where its whole column is unusual: few faults are heard in a single band.
    """
    beyond = contrast(deviations, feature)
    standing: Float64 = beyond + beyond.mean(axis=1, keepdims=True)
    return standing


def shown(deviations: NDArray[np.floating], feature: str, mode: Mode) -> Float64:
    """What a map shows of each cell, shape = (time, band), of a window (time, band); NaN stays so."""
    return standing_out(deviations, feature) if mode == "stream" else deviations.astype(np.float64)


def over_a_second(deviations: NDArray[np.floating]) -> Float64:
    """The mean over the 32 cells around each, of those that there are, shape = (time, band); NaN where nothing was heard."""
    heard = ~np.isnan(deviations)
    sums = np.pad(np.cumsum(np.where(heard, deviations, 0.0), axis=0, dtype=np.float64), ((1, 0), (0, 0)))
    counts = np.pad(np.cumsum(heard, axis=0), ((1, 0), (0, 0)))
    cells = np.arange(len(deviations))
    first, last = np.maximum(cells - SECOND_CELLS // 2, 0), np.minimum(cells + SECOND_CELLS // 2, len(deviations))
    means: Float64 = (sums[last] - sums[first]) / np.maximum(counts[last] - counts[first], 1)
    return np.where(heard, means, np.nan)


def together(evidence: Float64) -> Float64:
    """The surprise of a sum of evidence, of any shape."""
    surprise: Float64 = np.expm1(evidence / ALIKE)
    return surprise


def evidence_of(surprise: Float64) -> Float64:
    """ln(1 + softplus(surprise)), of any shape: positive, so that the order of everything normal survives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # lost cells are NaN and stay so
        evidence: Float64 = np.log1p(np.logaddexp(0.0, surprise))
    return evidence
