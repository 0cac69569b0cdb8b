"""Nearest patches in one bank that all bands share: large enough for faiss, which is only loaded where there is one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.detectors.neighbours import NEAR, Found, Neighbours
from edge.detectors.quiet_faiss import faiss

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


class SharedSearch:
    """One bank for all bands (faiss IndexFlatL2)."""

    def __init__(self, bank: Float32) -> None:
        """`bank` has the shape (n, dimension)."""
        self._index = faiss.IndexFlatL2(bank.shape[1])
        self._index.add(np.ascontiguousarray(bank, np.float32))

    def search(self, embeddings: Sequence[Float32]) -> Found:
        """See `Search.search`; there is one feature."""
        (rows,) = embeddings
        return _SharedFound(self._index, np.ascontiguousarray(rows).reshape(-1, rows.shape[2]))


class _SharedFound:
    def __init__(self, index: faiss.IndexFlatL2, rows: Float32) -> None:
        self._index = index
        self._rows = rows
        self.nearest = self._near(rows)

    def outside(self, embeddings: Int64, first: Int64, last: Int64) -> Neighbours:
        nearest = Neighbours(np.full((NEAR, len(embeddings)), np.inf, np.float32), np.zeros((NEAR, len(embeddings)), np.int64))
        for begin, end in set(zip(first.tolist(), last.tolist(), strict=True)):
            which = np.flatnonzero((first == begin) & (last == end))
            others = faiss.SearchParameters(sel=faiss.IDSelectorNot(faiss.IDSelectorRange(begin, end)))  # type: ignore[call-arg]  # stubs lack it
            found = self._near(self._rows[embeddings[which]], others, self._index.ntotal - (end - begin))
            nearest.distances[: len(found.distances), which], nearest.patches[: len(found.patches), which] = found
        return nearest

    def _near(self, rows: Float32, parameters: faiss.SearchParameters | None = None, most: int = NEAR) -> Neighbours:
        squared, patches = self._index.search(rows, min(NEAR, self._index.ntotal, most), params=parameters)
        return Neighbours(np.sqrt(np.maximum(squared.T, np.float32(0.0))), patches.T)
