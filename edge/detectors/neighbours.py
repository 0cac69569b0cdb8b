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
TOGETHER = 64  # times in one product, at the most
CLASSES = 64  # of patches; the lowest score of each is looked at first
CANCELLED = 0.125  # of a patch's square: a smaller squared distance is computed once more, from differences


class Neighbours(NamedTuple):
    """The nearest patches of some embeddings; fewer than there is room for are filled up at an infinite distance."""

    distances: Float32  # (neighbour, embedding), in no order
    patches: Int64  # (neighbour, embedding), counted through all banks


class Search(Protocol):
    """Finds the eight nearest patches, or all where there are fewer."""

    def nearest(self, embeddings: Float32) -> Neighbours:
        """Those of embeddings, shape = (time, band, dimension), which are numbered time by time."""
        ...

    def nearest_outside(self, rows: Float32, band: int, passed_over: slice) -> Neighbours:
        """Those of embeddings of one band, shape = (n, dimension), but for some of the patches of its bank."""
        ...


class SharedSearch:
    """One bank for all bands (faiss IndexFlatL2)."""

    def __init__(self, bank: Float32) -> None:
        """`bank` has the shape (n, dimension)."""
        self._index = faiss.IndexFlatL2(bank.shape[1])
        self._index.add(np.ascontiguousarray(bank, np.float32))

    def nearest(self, embeddings: Float32) -> Neighbours:
        """See `Search.nearest`."""
        rows = np.ascontiguousarray(embeddings).reshape(-1, embeddings.shape[2])
        return self._found(*self._index.search(rows, min(NEAR, self._index.ntotal)))

    def nearest_outside(self, rows: Float32, band: int, passed_over: slice) -> Neighbours:
        """See `Search.nearest_outside`."""
        outside = faiss.IDSelectorNot(faiss.IDSelectorRange(passed_over.start, passed_over.stop))
        others = self._index.ntotal - (passed_over.stop - passed_over.start)
        parameters = faiss.SearchParameters(sel=outside)  # type: ignore[call-arg]  # stubs lack it
        return self._found(*self._index.search(np.ascontiguousarray(rows), min(NEAR, others), params=parameters))

    @staticmethod
    def _found(squared: Float32, patches: Int64) -> Neighbours:
        return Neighbours(_root(squared.T), patches.T)


class BandSearch:
    """A bank per band.

    Half of the squared distance of an embedding q from a patch p, less what q has by itself, is its score: half of p's square less q p, one
    product for all. The lowest scores are found without sorting: patches fall into 64 classes, the eighth lowest of the classes' lowest
    scores is no lower than the eighth of all, and hardly more than eight patches have a score up to that.
    """

    def __init__(self, banks: Sequence[Float32]) -> None:
        """`banks[b]`, shape = (n, dimension), are the patches of band b."""
        self._counts = [len(bank) for bank in banks]
        self._near = min(NEAR, *self._counts)
        self._first = np.cumsum([0, *self._counts[:-1]])  # (band,) number of its first patch
        self._room = -(-max(self._counts) // CLASSES) * CLASSES  # patches in a band, with those that fill it up
        dimension = banks[0].shape[1]
        self._centres = np.stack([bank.mean(axis=0, dtype=np.float64) for bank in banks]).astype(np.float32)  # (band, dimension)
        # (band, patch, dimension + 1): minus a patch from its bank's centre, and half of its square; what fills up is infinitely far.
        self._factors = np.zeros((len(banks), self._room, dimension + 1), np.float32)
        self._factors[:, :, -1] = np.inf
        for factors, bank, centre in zip(self._factors, banks, self._centres, strict=True):
            factors[: len(bank), :-1] = centre - bank
            factors[: len(bank), -1] = 0.5 * np.square(factors[: len(bank), :-1], dtype=np.float64).sum(axis=1)

    def nearest(self, embeddings: Float32) -> Neighbours:
        """See `Search.nearest`."""
        time, bands, _ = embeddings.shape
        parts = [self._nearest(embeddings[first : first + TOGETHER]) for first in range(0, time, TOGETHER)]
        if len(parts) == 1:
            return parts[0]
        room = max(len(part.distances) for part in parts)
        distances = np.full((room, time * bands), np.inf, np.float32)
        patches = np.zeros((room, time * bands), np.int64)
        for number, part in enumerate(parts):
            columns = slice(number * TOGETHER * bands, number * TOGETHER * bands + part.distances.shape[1])
            distances[: len(part.distances), columns], patches[: len(part.patches), columns] = part
        return Neighbours(distances, patches)

    def nearest_outside(self, rows: Float32, band: int, passed_over: slice) -> Neighbours:
        """See `Search.nearest_outside`."""
        factors, count = self._factors[band], self._counts[band]
        near = min(NEAR, count - (passed_over.stop - passed_over.start))
        queries = self._queries(rows[:, None], self._centres[band : band + 1])[0]  # (n, dimension + 1)
        scores = queries @ factors[:count].T
        scores[:, passed_over] = np.inf
        found = np.argpartition(scores, near - 1, axis=1)[:, :near]  # (n, neighbour)
        apart = queries[:, None, :-1] + factors[found, :-1]
        return Neighbours(np.sqrt(np.square(apart).sum(axis=2)).T, (self._first[band] + found).T)

    def _nearest(self, embeddings: Float32) -> Neighbours:
        time, bands, _ = embeddings.shape
        queries = self._queries(embeddings, self._centres)  # (band, time, dimension + 1)
        scores = np.matmul(self._factors, queries.swapaxes(1, 2))  # (band, patch, time)
        classes = scores.reshape(bands, -1, CLASSES * time)
        lowest = classes.min(axis=1).reshape(bands, CLASSES, time).swapaxes(1, 2).copy()  # (band, time, class)
        lowest.partition(self._near - 1, axis=2)
        limits = np.tile(lowest[:, :, self._near - 1], CLASSES)[:, None]  # (band, 1, class and time)
        found = np.flatnonzero(classes <= limits)  # (n,) among all scores
        patch, at = found // time, found % time
        band, own = patch // self._room, patch % self._room
        embedding = at * bands + band
        squares = np.einsum("btd,btd->bt", queries[:, :, :-1], queries[:, :, :-1]).reshape(-1)[band * time + at]  # (n,)
        squared = 2.0 * scores.reshape(-1)[found] + squares
        cancelled = np.flatnonzero(squared < CANCELLED * squares)
        if len(cancelled):
            apart = (queries[band[cancelled], at[cancelled]] + self._factors[band[cancelled], own[cancelled]])[:, :-1]
            squared[cancelled] = np.square(apart).sum(axis=1)
        return self._laid_out(squared, self._first[band] + own, embedding, time * bands)

    def _laid_out(self, squared: Float32, patches: Int64, embedding: Int64, embeddings: int) -> Neighbours:
        """The nearest of what was found, each shape = (n,), by embedding."""
        order = embedding.astype(np.uint16).argsort(kind="stable")  # few bits are sorted without comparisons
        counts = np.bincount(embedding, minlength=embeddings)
        embedding = embedding[order]
        rank = np.arange(len(order)) - (np.cumsum(counts) - counts)[embedding]
        room = max(self._near, int(counts.max()))
        places = rank * embeddings + embedding
        distances = np.full((room, embeddings), np.inf, np.float32)
        distances.reshape(-1)[places] = np.sqrt(squared[order])
        numbers = np.zeros((room, embeddings), np.int64)
        numbers.reshape(-1)[places] = patches[order]
        more = np.flatnonzero(counts > self._near)
        if len(more):
            many = distances[:, more]
            distances[:, more] = np.where(many <= np.partition(many, self._near - 1, axis=0)[self._near - 1], many, np.float32(np.inf))
        return Neighbours(distances, numbers)

    @staticmethod
    def _queries(embeddings: Float32, centres: Float32) -> Float32:
        """What the factors are multiplied by, shape = (band, time, dimension + 1), of embeddings (time, band, dimension)."""
        time, bands, dimension = embeddings.shape
        queries = np.empty((bands, time, dimension + 1), np.float32)
        np.subtract(embeddings.swapaxes(0, 1), centres[:, None], out=queries[:, :, :-1])
        queries[:, :, -1] = 1.0
        return queries


def _root(squared: Float32) -> Float32:
    return np.sqrt(np.maximum(squared, np.float32(0.0)))
