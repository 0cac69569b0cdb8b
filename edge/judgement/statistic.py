"""How unlike normal sound a window is on average, by one statistic, in nats. Fitted by calibrate/steady.py.

signed     One number of the vector, in standard deviations.
whitened   The length of the vector in units of the covariance of normal windows: the Mahalanobis distance, under a covariance that was
           shrunk as Ledoit and Wolf (2004) do, for there are fewer windows than numbers.
largest    The mean of the few largest numbers, each in its own standard deviations: what a whole spectrum dilutes, such as a tone.

How high a statistic gets on windows that the fit had not heard is taken to be normal, of a mean and deviation known from so many
recordings only. So what a new window reaches has Student's distribution, and its surprise is minus the logarithm of the chance of more:
large for a machine that is steady in many recordings, and modest, however far off, after few.

A short window varies more than a long one. The mean and the deviation were measured at several lengths, and in between they follow the
logarithm of the length. Those of a shorter window than any, which is less than a block, are as those of noise: as the root of its length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.standard import numbers

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

Kind = Literal["signed", "whitened", "largest"]

PRIOR_WINDOWS = 4  # what the least deviation counts as much as
ERFC_ENDS = 25.0  # standard deviations, from where on double precision is left and an asymptote takes over


@dataclass(frozen=True, slots=True)
class Normal:
    """What normal windows are like in one vector."""

    centre: Float64  # (dimension,)
    scale: Float64  # (dimension,)
    whitening: NDArray[np.floating] | None = None  # (dimension, dimension), of what is in units of the scale

    @classmethod
    def load(cls, name: str, arrays: Arrays, dimension: int) -> Normal:
        """One of a bundle's arrays; KeyError or ValueError when they are none."""
        centre = numbers(f"steady.{name}_centre", arrays[f"{name}_centre"], (dimension,)).astype(np.float64)
        scale = numbers(f"steady.{name}_scale", arrays[f"{name}_scale"], (dimension,)).astype(np.float64)
        if not (scale > 0).all():
            raise ValueError(f"steady.{name}_scale is not positive")
        if f"{name}_whitening" not in arrays:
            return cls(centre, scale)
        return cls(centre, scale, numbers(f"steady.{name}_whitening", arrays[f"{name}_whitening"], (dimension, dimension)))

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """As a bundle holds them."""
        arrays: dict[str, NDArray[np.generic]] = {
            f"{name}_centre": self.centre.astype(np.float32),
            f"{name}_scale": self.scale.astype(np.float32),
        }
        return arrays if self.whitening is None else arrays | {f"{name}_whitening": self.whitening.astype(np.float16)}

    def standardised(self, vector: Float64) -> Float64:
        """In units of the scale, of any shape (..., dimension)."""
        standardised: Float64 = (vector - self.centre) / self.scale
        return standardised


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic."""

    kind: Kind
    lengths: Float64  # (length,) cells, ascending
    centres: Float64  # (length,) values of held-out windows
    spreads: Float64  # (length,) and how much that varies
    recordings: float  # it is known from
    weight: float  # of its nats: little where normal windows differ by more than a fault would change them
    number: int = 0  # that is judged, of a signed one; how many are, of the largest
    _known: dict[int, tuple[float, float]] = field(default_factory=dict, init=False, repr=False, compare=False)  # by cells

    @classmethod
    def load(cls, name: str, kind: Kind, arrays: Arrays, number: int = 0) -> Statistic:
        """One of a bundle's arrays; KeyError or ValueError when they are none."""
        table = numbers(f"steady.{name}_table", arrays[f"{name}_table"], (None, 3)).astype(np.float64)
        recordings, weight = (float(x) for x in numbers(f"steady.{name}_trust", arrays[f"{name}_trust"], (2,)))
        lengths, centres, spreads = table.T
        if not ((spreads > 0).all() and (lengths > 0).all() and (np.diff(lengths) > 0).all() and recordings >= 1 and 0 <= weight <= 1):
            raise ValueError(f"steady.{name} is no statistic")
        return cls(kind, lengths, centres, spreads, recordings, weight, number)

    def arrays(self, name: str) -> dict[str, Float32]:
        """As a bundle holds them."""
        table = np.stack([self.lengths, self.centres, self.spreads], axis=1).astype(np.float32)
        return {f"{name}_table": table, f"{name}_trust": np.array([self.recordings, self.weight], np.float32)}

    def value(self, standardised: Float64, whitening: NDArray[np.floating] | None) -> float:
        """The statistic of a vector in units of the scale, shape = (dimension,), and what brings it into units of the covariance."""
        if self.kind == "signed":
            return float(standardised[self.number])
        if self.kind == "whitened":
            assert whitening is not None
            units = standardised.astype(whitening.dtype) @ whitening  # as precise as the matrix is known: it is most of what is read
            return math.sqrt(units @ units)
        sizes = np.abs(standardised)
        count = min(self.number, len(sizes))
        return float(np.partition(sizes, len(sizes) - count)[len(sizes) - count :].sum()) / count

    def nats(self, value: float, cells: int) -> float:
        """The surprise of a value that so many cells gave, before its weight."""
        centre, spread = self._at(cells)
        units = (value - centre) / spread / math.sqrt(1.0 + 1.0 / self.recordings)
        units = (value - centre) / spread / math.sqrt(1.0 + 1.0 / self.recordings)
        freedom = self.recordings - 1.0 + PRIOR_WINDOWS
        return student_nats(abs(units), freedom) - math.log(2.0) if self.kind == "signed" else student_nats(units, freedom)

    def _at(self, cells: int) -> tuple[float, float]:
        """Centre and spread of what so many cells give; computed once, for nearly all windows are of one length."""
        if cells not in self._known:
            self._known[cells] = self._interpolated(cells)
        return self._known[cells]

    def _interpolated(self, cells: int) -> tuple[float, float]:
        if cells >= self.lengths[-1]:
            return float(self.centres[-1]), float(self.spreads[-1])
        at, lengths = math.log(cells), np.log(self.lengths)
        shorter = math.sqrt(max(1.0, float(self.lengths[0]) / cells))
        return shorter * float(np.interp(at, lengths, self.centres)), shorter * float(np.interp(at, lengths, self.spreads))


def student_nats(units: float, freedom: float) -> float:
    """Minus the logarithm of the chance that Student's t exceeds so many units, by Wallace's normal approximation (1959)."""
    normal = math.copysign((8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * math.sqrt(freedom * math.log1p(units * units / freedom)), units)
    if normal < ERFC_ENDS:
        return -math.log(0.5 * math.erfc(normal / math.sqrt(2.0)))
    return 0.5 * normal * normal + math.log(normal * math.sqrt(2.0 * math.pi))
