"""Nearest patches: exact searches, in one bank or in a bank per band.

A block of sound asks every band for the neighbours of eight patches. A search of its own for each band would be sixteen tiny ones, of which
the calls cost as much as the arithmetic. `BandSearch` does all of them in one batched matrix product; a large bank is for faiss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

# A search is about a few patches: handing it to threads costs more than it saves, and waiting threads keep an idle board awake.
faiss.omp_set_num_threads(1)

NEAR = 8  # neighbours
CLASSES = 64  # of patches; the lowest score of each is looked at first
CANCELLED = 0.125  # of a patch's square: a smaller squared distance is computed once more, from differences
FINITE = np.finfo(np.float32).max


class Neighbours(NamedTuple):
    """The nearest patches of some embeddings; fewer than there is room for are filled up at an infinite distance."""

    distances: Float32  # (neighbour, embedding), in no order
    patches: Int64  # (neighbour, embedding), counted through all banks


class Found(Protocol):
    """What was found in a search."""

    nearest: Neighbours  # the eight nearest of each embedding, or all where there are fewer; time by time

    def outside(self, embeddings: Int64, first: Int64, last: Int64) -> Neighbours:
        """The eight nearest of some embeddings, by number, but for the patches `first` .. `last` (not included) of the bank of each."""
        ...


class Search(Protocol):
    """Finds nearest patches."""

    def search(self, embeddings: Float32) -> Found:
        """Look for the neighbours of embeddings, shape = (time, band, dimension)."""
        ...


class SharedSearch:
    """One bank for all bands (faiss IndexFlatL2)."""

    def __init__(self, bank: Float32) -> None:
        """`bank` has the shape (n, dimension)."""
        self._index = faiss.IndexFlatL2(bank.shape[1])
        self._index.add(np.ascontiguousarray(bank, np.float32))

    def search(self, embeddings: Float32) -> Found:
        """See `Search.search`."""
        return _SharedFound(self._index, np.ascontiguousarray(embeddings).reshape(-1, embeddings.shape[2]))


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


class BandSearch:
    """A bank per band.

    Half of the squared distance of an embedding q from a patch p, less what q has by itself, is its score: half of p's square less q p, one
    product for all. The lowest scores are found without sorting: patches fall into 64 classes, the eighth lowest of the classes' lowest
    scores is no lower than the eighth of all, and hardly more than eight patches have a score up to that.
    """

    def __init__(self, banks: Sequence[Float32]) -> None:
        """`banks[b]`, shape = (n, dimension), are the patches of band b."""
        counts = [len(bank) for bank in banks]
        self._first = np.cumsum([0, *counts[:-1]])  # (band,) number of its first patch
        room = -(-max(counts) // CLASSES) * CLASSES  # patches in a band, with those that fill it up
        self._centres = np.stack([bank.mean(axis=0, dtype=np.float64) for bank in banks]).astype(np.float32)  # (band, dimension)
        # (band, patch, dimension + 1): minus a patch from its bank's centre, and half of its square; what fills up is infinitely far.
        self._factors = np.zeros((len(banks), room, banks[0].shape[1] + 1), np.float32)
        self._factors[:, :, -1] = np.inf
        for factors, bank, centre in zip(self._factors, banks, self._centres, strict=True):
            factors[: len(bank), :-1] = centre - bank
            factors[: len(bank), -1] = 0.5 * np.square(factors[: len(bank), :-1], dtype=np.float64).sum(axis=1)

    def search(self, embeddings: Float32) -> Found:
        """See `Search.search`."""
        time, bands, dimension = embeddings.shape
        queries = np.empty((bands, time, dimension + 1), np.float32)  # what the factors are multiplied by
        np.subtract(embeddings.swapaxes(0, 1), self._centres[:, None], out=queries[:, :, :-1])
        queries[:, :, -1] = 1.0
        return _BandFound(self, queries, np.matmul(self._factors, queries.swapaxes(1, 2)))

    def lowest(self, scores: Float32, queries: Float32, bands: Int64) -> Neighbours:
        """The patches of the lowest scores, shape = (line, patch, time), of queries (line, time, dimension + 1) in the band of each line.

        The embedding of a line at a time has the number time * lines + line.
        """
        lines, room, time = scores.shape
        classes = scores.reshape(lines, -1, CLASSES * time)
        least = classes.min(axis=1).reshape(lines, CLASSES, time).swapaxes(1, 2).copy()  # (line, time, class)
        least.partition(NEAR - 1, axis=2)
        limits = np.tile(np.minimum(least[:, :, NEAR - 1], FINITE), CLASSES)[:, None]  # (line, 1, class and time)
        found = np.flatnonzero(classes <= limits)  # (n,) among all scores
        place, at = found // time, found % time
        line, patch = place // room, place % room
        squares = np.einsum("ltd,ltd->lt", queries[:, :, :-1], queries[:, :, :-1]).reshape(-1)[line * time + at]  # (n,)
        squared = 2.0 * scores.reshape(-1)[found] + squares
        cancelled = np.flatnonzero(squared < CANCELLED * squares)
        if len(cancelled):
            of = line[cancelled]
            apart = (queries[of, at[cancelled]] + self._factors[bands[of], patch[cancelled]])[:, :-1]
            squared[cancelled] = np.square(apart).sum(axis=1)
        return _laid_out(np.sqrt(squared), self._first[bands[line]] + patch, at * lines + line, lines * time)


class _BandFound:
    def __init__(self, search: BandSearch, queries: Float32, scores: Float32) -> None:
        self._search = search
        self._queries = queries
        self._scores = scores
        self.nearest = search.lowest(scores, queries, np.arange(len(scores)))

    def outside(self, embeddings: Int64, first: Int64, last: Int64) -> Neighbours:
        at, band = np.divmod(embeddings, len(self._scores))
        scores = self._scores[band, :, at]  # (embedding, patch)
        patch = np.arange(scores.shape[1])
        scores[(patch >= first[:, None]) & (patch < last[:, None])] = np.inf
        return self._search.lowest(scores[:, :, None], self._queries[band, at][:, None], band)


def _laid_out(distances: Float32, patches: Int64, embedding: Int64, embeddings: int) -> Neighbours:
    """The nearest of what was found, each shape = (n,), by embedding."""
    order = embedding.astype(np.uint16 if embeddings < 1 << 16 else np.int64).argsort(kind="stable")  # few bits are sorted at once
    embedding = embedding[order]
    counts = np.bincount(embedding, minlength=embeddings)
    rank = np.arange(len(order)) - (np.cumsum(counts) - counts)[embedding]
    room = max(NEAR, int(counts.max(initial=0)))
    places = rank * embeddings + embedding
    nearest = Neighbours(np.full((room, embeddings), np.inf, np.float32), np.zeros((room, embeddings), np.int64))
    nearest.distances.reshape(-1)[places], nearest.patches.reshape(-1)[places] = distances[order], patches[order]
    more = np.flatnonzero(counts > NEAR)
    if len(more):
        many = nearest.distances[:, more]
        nearest.distances[:, more] = np.where(many <= np.partition(many, NEAR - 1, axis=0)[NEAR - 1], many, np.float32(np.inf))
    return nearest
