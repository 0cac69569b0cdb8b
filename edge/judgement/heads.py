"""Heads: the questions about each feature of a window, and one answer from all of them.

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
loud the whole window is, is for the heads of steady sound (edge/judgement/steady.py). Where there is an excess, log-mel patches have the
sustained head only: of a moment, the excess says the same, and more clearly (with both, real machines were told apart less well). A feature
of one band is judged by its mean.

largest    The largest deviation of any cell of a window. It is the score of the published systems, for comparison with them; it is had only
           when asked for.

What a head says is brought to the same unit for all, surprise, by what normal sound reached (`HeadScale`), and then counted as evidence,
which grows as the logarithm of surprise: the scale of a head rests on few rare moments, so how far something is beyond them is known in
order of magnitude only (with a scale that is itself uncertain, an exponential tail becomes a Lomax tail). The evidence of a window is the
sum over its heads, in the manner of Fisher's method, and its surprise is what two heads would have to say alike for that sum: back in nats,
in which the tail of normal sound is close to an exponential.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.judgement.contrast import contrast, moments, over_a_second, standing_out, usual
from edge.judgement.evidence import evidence_of, surprise_of
from edge.judgement.head_names import CELL, SECOND, drawn_name, largest_name, moment_name, sustained_name
from edge.judgement.head_scale import HeadScale
from edge.judgement.window import ALARM

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Usual = Mapping[str, Float64]  # feature -> (band,)

# Endless streams are judged by all heads, and moments against their surroundings; clips of one length, as published: by one head, and a map
# of nothing but distances.
Mode = Literal["stream", "clip"]

STANDS_OUT = 5.0  # nats
LEAST_SHARE = 0.05  # of the loudest cell's surprise: what is less beside it is its echo
FAINT_SCORE = 0.49


@dataclass(frozen=True, slots=True)
class _Head:
    """One head: `surprise` is of the cells that were heard of a window, (time, band), and what is usual in it, (band,)."""

    name: str
    feature: str
    surprise: Callable[[Float64, Float64], Float64]


class Heads:
    """The heads of one bundle."""

    def __init__(self, features: Mapping[str, int], scales: Mapping[str, HeadScale], mode: Mode = "stream") -> None:
        """`scales` by `head_names` and, for features with bands, by `drawn_name`; KeyError or ValueError when one lacks or is none."""
        for scale in scales.values():
            scale.check()
        self._heads = _heads(features, scales)
        judged = {head.feature for head in self._heads}
        located = [f for f, bands in features.items() if bands > 1 and (mode == "stream" or f in judged)]
        self._drawn = {kind: {feature: scales[drawn_name(feature, kind)] for feature in located} for kind in (CELL, SECOND)}
        self._mode: Mode = mode
        self._judged = tuple(dict.fromkeys(head.feature for head in self._heads))
        self._asked = tuple(dict.fromkeys([*self._judged, *located]))

    def __len__(self) -> int:
        return len(self._heads)

    def usual(self, deviations: Mapping[str, Float32]) -> Usual:
        """What is usual in a window, given as feature -> (time, band) with NaN where audio was lost; its cells are judged by that."""
        return {feature: usual(deviations[feature], feature) for feature in self._asked}

    def evidence(self, deviations: Mapping[str, Float32], known: Usual | None = None) -> dict[str, float]:
        """The evidence of each head in a window, given as feature -> (time, band) with NaN where audio was lost.

        `known` is what is usual in it, if that was asked for already, here as in all that follows.
        """
        known = self.usual(deviations) if known is None else known
        heard = {feature: _heard(deviations[feature]).astype(np.float64) for feature in self._judged}  # (time, band)
        heads = [head for head in self._heads if len(heard[head.feature])]
        surprises = np.array([head.surprise(heard[head.feature], known[head.feature]) for head in heads])
        return dict(zip((head.name for head in heads), evidence_of(surprises).tolist(), strict=True))

    def cell_surprise(self, deviations: Mapping[str, Float32], known: Usual | None = None) -> Float32:
        """The surprise of each cell of a window, (time, band) float32, by the mean over its features. NaN where audio was lost."""
        return self._together(self._of_cells(deviations, known))

    def drawing(self, deviations: Mapping[str, Float32], score: float, known: Usual | None = None) -> Float32:
        """Where the score of a window comes from, (time, band) float32: the most surprising cell has the score, the others in proportion.

        Cells are judged by themselves or, where that is more surprising, by the second around them: a steady tone does not make any cell
        unusual. (Only of an anomalous window: it takes seven times as long.) Cells that do not stand out, by themselves or beside a loud
        fault, stay below half of the alarm; where none does, the window has changed a little everywhere. NaN where audio was lost.
        """
        drawn = self.cell_surprise(deviations, known)
        if score >= ALARM and not np.isnan(drawn).all():
            seconds = self._mean(SECOND, {feature: over_a_second(deviations[feature]) for feature in self._drawn[SECOND]})
            drawn = max(drawn, self._together(seconds), key=np.nanmax)
        return _in_proportion(drawn, score)

    def columns(self, deviations: Mapping[str, Float32], score: float, known: Usual | None = None) -> Float32:
        """The highest cell of each column of the drawing of a window that is not anomalous, (time,) float32.

        The most surprising cell is the one that stands out most, so only that one is worked out.
        """
        return _in_proportion(self._together(self._of_cells(deviations, known).max(axis=1)), score)

    def _of_cells(self, deviations: Mapping[str, Float32], known: Usual | None) -> Float64:
        """The mean surprise of the features of each cell, shape = (time, band)."""
        known = self.usual(deviations) if known is None else known
        return self._mean(CELL, {f: shown(deviations[f], f, self._mode, known[f]) for f in self._drawn[CELL]})

    def _mean(self, kind: str, values: Mapping[str, Float64]) -> Float64:
        """The mean surprise of all features that are shown, of any shape."""
        alone = [self._drawn[kind][feature].surprise(own, 1) for feature, own in values.items()]
        return sum(alone[1:], start=alone[0]) / len(alone)

    def _together(self, mean: Float64) -> Float32:
        """The surprise of all features that are shown, of any shape, from its mean."""
        return surprise_of(evidence_of(mean) * len(self._drawn[CELL])).astype(np.float32)


def shown(deviations: NDArray[np.floating], feature: str, mode: Mode, known: Float64 | None = None) -> Float64:
    """What a map shows of each cell, shape = (time, band), of a window (time, band); NaN stays so."""
    return standing_out(deviations, feature, known) if mode == "stream" else deviations.astype(np.float64)


def _heard(values: Float32) -> Float32:
    """The columns of a window (time, band) that were heard."""
    heard = ~np.isnan(values[:, 0])
    return values if heard.all() else values[heard]


def _in_proportion(drawn: Float32, score: float) -> Float32:
    """What was drawn, of any shape, in units of the score."""
    loudest = float(np.fmax.reduce(drawn, axis=None))
    if math.isnan(loudest):
        return drawn
    scores = drawn * np.float32(score / max(STANDS_OUT, loudest))
    faint = drawn < max(STANDS_OUT, LEAST_SHARE * loudest)
    return np.where(faint, np.minimum(scores, FAINT_SCORE), scores).astype(np.float32)


def _heads(features: Mapping[str, int], scales: Mapping[str, HeadScale]) -> list[_Head]:
    """Those that there are scales of."""
    heads = []
    for feature, bands in features.items():
        kinds = [(sustained_name(feature, bands), _sustained)]
        if bands > 1:
            kinds = [(moment_name(feature, bands), _moment), *kinds, (largest_name(feature), _largest)]
        heads += [_Head(name, feature, partial(kind, feature, scales[name])) for name, kind in kinds if name in scales]
    return heads


def _moment(feature: str, scale: HeadScale, heard: Float64, known: Float64) -> Float64:
    return scale.surprise(moments(contrast(heard, feature, known)).max(), 1)


def _sustained(feature: str, scale: HeadScale, heard: Float64, known: Float64) -> Float64:
    return scale.surprise(heard.mean(), len(heard))


def _largest(feature: str, scale: HeadScale, heard: Float64, known: Float64) -> Float64:
    return scale.surprise(heard.max(), 1)
