"""One surprise from all heads.

The heads of cells (edge/judgement/heads.py) add up evidence, the logarithm of surprise, for their scales rest on few rare moments. The
heads of steady sound (edge/judgement/steady.py) add up nats, for theirs rest on averages, of which much more is known. Each kind hears
faults of its own, so a window is as surprising as the two are together: the root of the sum of their squares. The kind that hears nothing
takes nothing from the one that is sure. (What was tried besides: benchmarks/RESULTS.md.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge.judgement.evidence import together


@dataclass(frozen=True, slots=True)
class Fused:
    """What all heads make of a window."""

    surprise: float
    cells: float  # of it, what moments and single cells are
    steady: float  # and what the average is
    shares: Mapping[str, float]  # of each head; all together they are 1


def fuse(cells: Mapping[str, float], steady: Mapping[str, float]) -> Fused:
    """Fuse the evidence of the heads of cells, and the nats of those of steady sound; at least one has any."""
    evidence, nats = sum(cells.values()), sum(steady.values())
    by_cells = float(together(np.array(evidence)))
    surprise = math.hypot(by_cells, nats)
    parts = [(cells, evidence, by_cells), (steady, nats, nats)]
    shares = {
        head: said / total * (own / surprise) ** 2 if own > 0.0 else 0.0 for heads, total, own in parts for head, said in heads.items()
    }
    return Fused(surprise, by_cells, nats, shares)
