"""The heads of steady sound: what a window sounds like on average, against normal windows (edge/judgement/window_sound.py says in what).

level      Its loudness.
profile    Its spectrum, absolute and without the level, as a whole and by the bands that stick out, and finer below 500 Hz.
dynamics   How it varies.

Moments are judged cell by cell against cells (edge/judgement/heads.py), and what changes every cell by a little drowns there in how much
cells differ from each other. A mean over ten seconds differs far less from day to day, and so tells a steady change of a decibel or two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.features.cell_averages import AverageLayout
from edge.judgement.long_average import WINDOWS
from edge.judgement.medians import medians
from edge.judgement.statistic import Kind, Normal, Statistic
from edge.judgement.window_sound import WindowSound

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

STEADY = "steady"  # the member of a bundle
LEVEL, PROFILE, DYNAMICS = "level", "profile", "dynamics"
STEADY_HEADS = (LEVEL, PROFILE, DYNAMICS)

# A long window holds so many others that the highest of them is high by chance; this many nats of it count for nothing.
LOOKS_NATS = 6.0
USUAL_NATS = 3.0  # that a window has of normal sound; what it has beyond them may last
EITHER = frozenset({LEVEL})  # heads whose statistics measure the same: the farthest counts, not their sum
USUAL_SPREAD_DB = 4.0  # of the frames of noise
LONGER = 1.25  # times a window; what is hardly longer says the same

# Relative: how loud the machine is does not count, for its microphone's gain drifts.
SteadyLevel = Literal["absolute", "relative"]


@dataclass(frozen=True, slots=True)
class SteadyChoice:
    """Their part of a bundle's manifest."""

    heads: tuple[str, ...]
    level: SteadyLevel = "absolute"


class Question(NamedTuple):
    """What a statistic is about."""

    head: str
    vector: str
    kind: Kind
    number: int = 0  # that is judged, of a signed one; how many are, of the largest


QUESTIONS: Mapping[str, Question] = {
    "power": Question(LEVEL, "level", "signed", 0),
    "loudness": Question(LEVEL, "level", "signed", 1),
    "profile": Question(PROFILE, "profile", "whitened"),
    "low": Question(PROFILE, "low", "whitened"),
    "low_largest": Question(PROFILE, "low", "largest", 2),
    "shape_largest": Question(PROFILE, "shape", "largest", 5),
    "dynamics": Question(DYNAMICS, "dynamics", "whitened"),
}


class BandsApart(NamedTuple):
    """How many standard deviations of normal windows each band of a window is from their mean; never negative."""

    bands: Float64  # (band,)
    low: Float64  # (low band,)


class WindowEvidence(NamedTuple):
    """The evidence of the heads in a window, in nats, and the mean that they compared, shape = (column,)."""

    nats: dict[str, float]
    mean: Float64


def more_evidence(short: WindowEvidence, long: WindowEvidence) -> WindowEvidence:
    """The evidence of a window, or of the long one that ends with it: of which there is more, when a window has paid for the many looks.

    What lasts gives a long window as many times the evidence as it is longer, at the most. More than that is of a change that has passed.
    """
    total, longer = sum(short.nats.values()), sum(long.nats.values())
    paid, lasting = max(0.0, total - LOOKS_NATS), min(longer, WINDOWS * max(0.0, total - USUAL_NATS))
    if paid > lasting:
        return WindowEvidence({head: nats * paid / total for head, nats in short.nats.items()}, short.mean)
    return WindowEvidence({head: nats * lasting / longer for head, nats in long.nats.items()} if longer > 0.0 else long.nats, long.mean)


class Steady:
    """The heads of one bundle."""

    def __init__(self, sound: WindowSound, normal: Mapping[str, Normal], statistics: Mapping[str, Statistic]) -> None:
        """`normal` by vector, and `statistics` by their names in `QUESTIONS`: those that there are."""
        self.sound = sound
        self.heads = tuple(dict.fromkeys(QUESTIONS[name].head for name in statistics))
        self.longest_cells = max((float(statistic.lengths[-1]) for statistic in statistics.values()), default=0.0)  # that was measured
        self._normal = normal
        self._statistics = [(QUESTIONS[name], statistic) for name, statistic in statistics.items()]

    @classmethod
    def load(cls, arrays: Arrays, layout: AverageLayout, heads: Sequence[str], *, relative: bool) -> Steady:
        """The heads of these names, of a bundle's arrays; KeyError or ValueError when the arrays do not fit the layout."""
        sound = WindowSound(layout, relative=relative)
        normal = {name: Normal.load(name, arrays, count) for name, count in sound.dimensions.items() if f"{name}_centre" in arrays}
        asked = {name: asked for name, asked in QUESTIONS.items() if asked.head in heads and f"{name}_table" in arrays}
        if not heads or set(heads) != {one.head for one in asked.values()}:
            raise ValueError(f"steady has not the heads {', '.join(heads)}")
        if any(one.vector not in normal for one in asked.values()):
            raise ValueError("steady has statistics of a vector that it does not know")
        statistics = {name: Statistic.load(name, one.kind, arrays, one.number) for name, one in asked.items()}
        if any(statistic.kind == "whitened" and normal[asked[name].vector].whitening is None for name, statistic in statistics.items()):
            raise ValueError("steady has no covariance")
        return cls(sound, normal, statistics)

    @property
    def spread_db(self) -> Float64:
        """How much frames vary within normal windows, shape = (band,) dB; a usual number where no head knows it."""
        bands = self.sound.layout.bands
        known = self._normal.get(DYNAMICS)
        return np.full(bands, USUAL_SPREAD_DB) if known is None else known.centre[:bands]

    def evidence(self, rows: Float32) -> dict[str, float]:
        """The evidence of each head, in nats, from the averages of a window's cells, shape = (time, column); NaN without sound."""
        return self._short(rows).nats

    def strongest_evidence(self, rows: Float32, long: tuple[Float64, int]) -> WindowEvidence:
        """The evidence of a window or, where that is more, of the long one that ends with it: its mean, (column,), and its cells."""
        short = self._short(rows)
        means, cells = long
        if cells < LONGER * len(rows) or self.longest_cells < LONGER * len(rows):
            return short
        if sum(short.nats.values()) <= USUAL_NATS:  # nothing counts of a window like that, nor of the long one, so it is not worked out
            return WindowEvidence(dict.fromkeys(self.heads, 0.0), means)
        return more_evidence(short, WindowEvidence(self.evidence_of(self.sound.of_mean(means), cells), means))

    def _short(self, rows: Float32) -> WindowEvidence:
        mean = self.sound.mean(rows)
        cells = len(rows) - int(np.count_nonzero(np.isnan(rows[:, 0])))
        return WindowEvidence(self.evidence_of(self.sound.of_mean(mean), cells) if cells else {}, mean)

    def evidence_of(self, vectors: Mapping[str, Float64], cells: int) -> dict[str, float]:
        """The same of a window's vectors, which so many cells gave."""
        standardised = self._standardised(vectors)
        values = self._values(standardised)
        said: dict[str, list[float]] = {head: [] for head in self.heads}
        for question, statistic in self._statistics:
            if question in values:
                said[question.head].append(statistic.weight * statistic.nats(values[question], cells))
        nats = {head: max(own, default=0.0) if head in EITHER else sum(own) for head, own in said.items()}
        return self._told_as_level(nats, standardised, values, cells)

    def _told_as_level(
        self, nats: dict[str, float], standardised: Mapping[str, Float64], values: Mapping[Question, float], cells: int
    ) -> dict[str, float]:
        """Count as level what the farthest of the fine bands have in common with all of them: a gain is told once. The sum stays."""
        for question, statistic in self._statistics:
            if question.vector == "low" and question.kind == "largest" and question in values and {LEVEL, PROFILE} <= nats.keys():
                common = abs(float(medians(standardised["low"][None])[0])) / max(values[question], 1e-9)
                moved = min(1.0, common) * statistic.weight * statistic.nats(values[question], cells)
                nats |= {LEVEL: nats[LEVEL] + moved, PROFILE: nats[PROFILE] - moved}
        return nats

    def values(self, vectors: Mapping[str, Float64]) -> dict[Question, float]:
        """What each statistic is of a window's vectors; without those that it is too short for."""
        return self._values(self._standardised(vectors))

    def _standardised(self, vectors: Mapping[str, Float64]) -> dict[str, Float64]:
        return {name: self._normal[name].standardised(vector) for name, vector in vectors.items() if name in self._normal}

    def _values(self, standardised: Mapping[str, Float64]) -> dict[Question, float]:
        return {
            question: statistic.value(standardised[question.vector], self._normal[question.vector].whitening)
            for question, statistic in self._statistics
            if question.vector in standardised
        }

    def apart(self, mean: Float64, head: str) -> BandsApart:
        """The frequencies at which a window of this mean, (column,), is unlike normal ones, as far as a head detects it."""
        vectors = self.sound.of_mean(mean)
        bands, low = np.zeros(self.sound.layout.bands), np.zeros(len(self.sound.layout.low_centres_hz))
        spectra = (DYNAMICS,) if head == DYNAMICS else ("profile", "shape")
        for name in spectra:
            if name in vectors and name in self._normal:
                sizes = np.abs(self._normal[name].standardised(vectors[name]))
                whole = sizes[: len(sizes) // len(bands) * len(bands)]  # of the dynamics, the deviation and the flux
                bands = np.maximum(bands, whole.reshape(-1, len(bands)).max(axis=0))
        if head != DYNAMICS and "low" in vectors and "low" in self._normal:
            low = np.abs(self._normal["low"].standardised(vectors["low"]))
        return BandsApart(bands, low)
