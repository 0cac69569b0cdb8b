"""Fewer patches that represent all of them: PatchCore's greedy k-center coreset (Roth et al. 2022, algorithm 1), in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float16 = NDArray[np.float16]


class Reservoir:
    """A uniform sample of all rows ever added, of fixed size (Vitter 1985, algorithm R)."""

    def __init__(self, capacity: int, rng: np.random.Generator) -> None:
        self._capacity = capacity
        self._rng = rng
        self._rows: Float16 | None = None  # (capacity, band, dimension)
        self._seen = 0

    def add(self, rows: Float16) -> None:
        """Add rows, shape = (n, band, dimension) float16."""
        if self._rows is None:
            self._rows = np.empty((self._capacity, *rows.shape[1:]), np.float16)
        room = max(0, min(len(rows), self._capacity - self._seen))
        self._rows[self._seen : self._seen + room] = rows[:room]
        late = rows[room:]
        if len(late):
            slots = self._rng.integers(0, self._seen + room + 1 + np.arange(len(late)))  # (late,)
            chosen = slots < self._capacity
            self._rows[slots[chosen]] = late[chosen]
        self._seen += len(rows)

    @property
    def rows(self) -> Float16:
        """The sample, shape = (n, band, dimension) float16, n at most the capacity."""
        if self._rows is None:
            return np.zeros((0, 0, 0), np.float16)
        return self._rows[: min(self._seen, self._capacity)]


def greedy_k_center(candidates: Float32, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `size` candidates that cover all of them: each next one is the farthest from those chosen before.

    `candidates`, shape = (n, dimension) float32; all are returned when there are no more than `size`. No index comes twice.
    """
    if len(candidates) <= size:
        return np.arange(len(candidates))
    squared = np.einsum("nd,nd->n", candidates, candidates)  # (n,)
    chosen = np.empty(size, np.int64)
    chosen[0] = rng.integers(len(candidates))
    nearest = np.full(len(candidates), np.inf, np.float32)  # squared distance to the nearest chosen one
    for i in range(1, size):
        last = chosen[i - 1]
        np.minimum(nearest, squared - 2.0 * (candidates @ candidates[last]) + squared[last], out=nearest)
        nearest[last] = -np.inf  # never again, however many candidates are the same
        chosen[i] = int(nearest.argmax())
    return chosen
