"""Nearest patches, searched exactly in a bank per band. (Where one bank is shared by all: edge/detectors/shared_bank.py.)

A block of sound asks every band for the neighbours of eight patches. A search of its own for each band would be sixteen tiny ones, of which
the calls cost as much as the arithmetic, so all of them are one batched matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

NEAR = 8  # neighbours
CLASSES = 64  # of patches; the lowest score of each is looked at first
CANCELLED = 1.0 / 4.0  # of an embedding's square: a smaller squared distance is computed once more, from differences
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

    def search(self, embeddings: Sequence[Float32]) -> Found:
        """Look for the neighbours of embeddings of some features, each shape = (time, band, dimension), numbered as (time, all bands)."""
        ...


class BandSearch:
    """A bank per band, of one feature or several.

    Half of the squared distance of an embedding q from a patch p, less what q has by itself, is its score: half of p's square less q p, one
    product for all. The lowest scores are found without sorting: patches fall into 64 classes, the eighth lowest of the classes' lowest
    scores is no lower than the eighth of all, and hardly more than eight patches have a score up to that.
    """

    def __init__(self, features: Sequence[Sequence[Float32]]) -> None:
        """`features[f][b]`, shape = (n, dimension), are the patches of band b of a feature."""
        counts = [len(bank) for banks in features for bank in banks]
        self.first = np.cumsum([0, *counts[:-1]])  # (band,) number of its first patch
        self._room = -(-max(counts) // CLASSES) * CLASSES  # patches in a band, with those that fill it up
        self._features = [_BandsOfOneFeature(banks, self._room) for banks in features]

    def search(self, embeddings: Sequence[Float32]) -> Found:
        """See `Search.search`."""
        bands, time = len(self.first), len(embeddings[0])
        scores = np.empty((bands, self._room, time), np.float32)
        squares = np.empty((bands, time), np.float32)
        queries = []
        end = 0
        for feature, own in zip(self._features, embeddings, strict=True):
            begin, end = end, end + own.shape[1]
            queries.append(feature.score(own, scores[begin:end], squares[begin:end]))
        return _BandFound(self, scores, squares, queries)

    def exact(self, queries: Sequence[Float32], band: Int64, at: Int64, patch: Int64) -> Float32:
        """The squared distances, shape = (n,), of patches of bands from queries at times, from differences."""
        squared = np.empty(len(band), np.float32)
        end = 0
        for feature, own in zip(self._features, queries, strict=True):
            begin, end = end, end + len(own)
            which = np.flatnonzero((band >= begin) & (band < end))
            of = band[which] - begin
            squared[which] = np.square((own[of, at[which]] + feature.factors[of, patch[which]])[:, :-1]).sum(axis=1)
        return squared


class _BandsOfOneFeature:
    def __init__(self, banks: Sequence[Float32], room: int) -> None:
        self._centres = _coarse(np.stack([bank.mean(axis=0, dtype=np.float64) for bank in banks]))  # (band, dimension)
        # (band, patch, dimension + 1): minus a patch from its bank's centre, and half of its square; what fills up is infinitely far.
        self.factors = np.zeros((len(banks), room, banks[0].shape[1] + 1), np.float32)
        self.factors[:, :, -1] = np.inf
        for factors, bank, centre in zip(self.factors, banks, self._centres, strict=True):
            factors[: len(bank), :-1] = centre - bank
            factors[: len(bank), -1] = 0.5 * np.square(factors[: len(bank), :-1], dtype=np.float64).sum(axis=1)

    def score(self, embeddings: Float32, scores: Float32, squares: Float32) -> Float32:
        """Write the scores, shape = (band, patch, time), and squares, (band, time), of embeddings, (time, band, dimension).

        Return what the factors were multiplied by, shape = (band, time, dimension + 1).
        """
        time, bands, dimension = embeddings.shape
        queries = np.empty((bands, time, dimension + 1), np.float32)
        own = queries[:, :, :-1]
        np.subtract(embeddings.swapaxes(0, 1), self._centres[:, None], out=own)
        queries[:, :, -1] = 1.0
        np.matmul(self.factors, queries.swapaxes(1, 2), out=scores)
        np.einsum("btd,btd->bt", own, own, out=squares)
        return queries


class _BandFound:
    def __init__(self, search: BandSearch, scores: Float32, squares: Float32, queries: Sequence[Float32]) -> None:
        self._search = search
        self._scores = scores  # (band, patch, time)
        self._squares = squares  # (band, time)
        self._queries = queries
        place, at, squared = _lowest(scores, squares)
        band, patch = np.divmod(place, scores.shape[1])
        self.nearest = self._nearest(squared, band, at, patch, at * len(scores) + band, squares.size)

    def outside(self, embeddings: Int64, first: Int64, last: Int64) -> Neighbours:
        """See `Found.outside`."""
        at, band = np.divmod(embeddings, len(self._scores))
        scores = self._scores[band, :, at]  # (embedding, patch)
        patch = np.arange(scores.shape[1])
        scores[(patch >= first[:, None]) & (patch < last[:, None])] = np.inf
        place, _, squared = _lowest(scores[:, :, None], self._squares[band, at][:, None])
        asked, patch = np.divmod(place, scores.shape[1])
        return self._nearest(squared, band[asked], at[asked], patch, asked, len(embeddings))

    def _nearest(self, squared: Float32, band: Int64, at: Int64, patch: Int64, embedding: Int64, embeddings: int) -> Neighbours:
        cancelled = np.flatnonzero(squared < CANCELLED * self._squares[band, at])
        if len(cancelled):
            squared[cancelled] = self._search.exact(self._queries, band[cancelled], at[cancelled], patch[cancelled])
        return _laid_out(np.sqrt(squared), self._search.first[band] + patch, embedding, embeddings)


def _lowest(scores: Float32, squares: Float32) -> tuple[Int64, Int64, Float32]:
    """The eight lowest scores or hardly more, of (line, patch, time): line and patch as one number, time, squared distance, each (n,)."""
    lines, room, time = scores.shape
    classes = scores.reshape(lines, -1, CLASSES * time)
    least = classes.min(axis=1).reshape(lines, CLASSES, time).swapaxes(1, 2).copy()  # (line, time, class)
    least.partition(NEAR - 1, axis=2)
    limits = np.tile(np.minimum(least[:, :, NEAR - 1], FINITE), CLASSES)[:, None]  # (line, 1, class and time)
    found = np.flatnonzero(classes <= limits)
    place, at = found // time, found % time
    return place, at, 2.0 * scores.reshape(-1)[found] + squares[place // room, at]


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


def _coarse(numbers: NDArray[np.float64]) -> Float32:
    """Rounded to eleven bits, as patches of bundles are: single precision holds the difference of two such numbers exactly."""
    mantissa, exponent = np.frexp(numbers)
    return np.ldexp(np.round(mantissa * 2048.0) / 2048.0, exponent).astype(np.float32)
