"""One surprise from all heads.

The heads of cells (edge/judgement/heads.py) add up evidence, the logarithm of surprise, for their scales rest on few rare moments. The
heads of steady sound (edge/judgement/steady.py) add up nats, for theirs rest on averages, of which much more is known. Each kind hears
faults of its own, so a window is as surprising as the two are together: the root of the sum of their squares. The kind that hears nothing
takes nothing from the one that is sure. Each is counted in its own unit, by how high it gets on normal sound: a kind that is restless on a
machine would set the threshold for both. (What was tried besides: benchmarks/RESULTS.md.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.judgement.evidence import surprise_of

ONCE_A_WEEK = 25.0  # nats: about what a sum of heads reaches


@dataclass(frozen=True, slots=True)
class Units:
    """The unit of either kind, such that normal sound reaches `ONCE_A_WEEK` of them once a week, or more rarely."""

    cells: float = 1.0
    steady: float = 1.0

    def check(self) -> None:
        """Raise ValueError when these are no units."""
        if not all(unit > 0 and math.isfinite(unit) for unit in (self.cells, self.steady)):
            raise ValueError(f"units of {self.cells:g} and {self.steady:g}")


@dataclass(frozen=True, slots=True)
class Fused:
    """What all heads make of a window."""

    surprise: float
    cells: float  # what moments and single cells are, in their unit
    steady: float  # what the average is, in its own
    shares: Mapping[str, float]  # of each head; all together they are 1

    @property
    def both_ways(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The surprise of either kind beside that of the other: of cells, of the average."""
        return (self.cells, self.steady), (self.steady, self.cells)

    def strongest(self, heads: Sequence[str]) -> str:
        """Which of some heads has the largest share."""
        return max(heads, key=lambda head: self.shares.get(head, 0.0))


def fuse(cells: Mapping[str, float], steady: Mapping[str, float], units: Units) -> Fused:
    """Fuse the evidence of the heads of cells, and the nats of those of steady sound."""
    evidence, nats = sum(cells.values()), sum(steady.values())
    by_cells, by_average = float(surprise_of(np.array(evidence))) / units.cells, nats / units.steady
    surprise = math.hypot(by_cells, by_average)
    parts = [(cells, evidence, by_cells), (steady, nats, by_average)]
    shares = {
        head: said / total * (own / surprise) ** 2 if own > 0.0 else 0.0 for heads, total, own in parts for head, said in heads.items()
    }
    return Fused(surprise, by_cells, by_average, shares)
