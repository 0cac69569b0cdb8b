from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detectors.neighbours import NEAR, BandSearch, Neighbours
from edge.detectors.shared_bank import SharedSearch

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


def rows(rng: np.random.Generator, *shape: int, offset: float = 0.0) -> Float32:
    return (offset + rng.standard_normal(shape)).astype(np.float32)


def exact(bank: Float32, query: Float32) -> Float64:
    """Distances of all patches, in double precision."""
    distances: Float64 = np.sqrt(np.square(bank.astype(np.float64) - query).sum(axis=1))
    return distances


def is_of(found: Neighbours, embedding: int, expected: Float64, first: int = 0) -> None:
    """Whether an embedding has the nearest of a bank, whose patches are `first` and those after it."""
    finite = np.isfinite(found.distances[:, embedding])
    distances, patches = found.distances[finite, embedding], found.patches[finite, embedding] - first
    np.testing.assert_allclose(np.sort(distances), np.sort(expected)[: len(distances)], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(distances, expected[patches], rtol=1e-5, atol=1e-6)
    assert len(set(patches.tolist())) == len(distances) == min(NEAR, int(np.isfinite(expected).sum()))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    counts=st.lists(st.integers(1, 200), min_size=2, max_size=4),
    time=st.sampled_from([1, 3, 8, 20]),
    offset=st.sampled_from([0.0, 30.0, -500.0]),
)
def test_band_search_of_two_features_finds_the_nearest_eight_of_each_band(seed: int, counts: list[int], time: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    features = [[rows(rng, count, dimension, offset=offset) for count in counts] for dimension in (5, 12)]
    embeddings = [rows(rng, time, len(counts), dimension, offset=offset) for dimension in (5, 12)]
    found = BandSearch(features).search(embeddings).nearest
    bands = [(bank, own[:, band]) for banks, own in zip(features, embeddings, strict=True) for band, bank in enumerate(banks)]
    assert found.distances.shape == found.patches.shape
    first = 0
    for band, (bank, queries) in enumerate(bands):
        for at in range(time):
            is_of(found, at * len(bands) + band, exact(bank, queries[at]), first)
        first += len(bank)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), is_shared=st.booleans(), count=st.integers(4, 100))
def test_search_outside_a_part_of_the_bank_finds_the_nearest_of_the_rest(seed: int, is_shared: bool, count: int) -> None:
    rng = np.random.default_rng(seed)
    banks = [rows(rng, count, 6) for _ in range(1 if is_shared else 3)]
    embeddings = rows(rng, 4, 3, 6)
    found = (SharedSearch(banks[0]) if is_shared else BandSearch([banks])).search([embeddings])
    asked = rng.permutation(12)[:5]
    first = rng.integers(0, count - 2, 5)
    last = first + rng.integers(1, 3, 5)
    outside = found.outside(asked, first, last)
    for number, (embedding, begin, end) in enumerate(zip(asked, first, last, strict=True)):
        band = 0 if is_shared else int(embedding % 3)
        expected = exact(banks[band], embeddings.reshape(-1, 6)[embedding])
        expected[begin:end] = np.inf
        is_of(outside, number, expected, band * count)


def test_band_search_of_patches_that_are_alike_finds_those_as_near_as_the_eighth() -> None:
    """A machine that was silent in half of its recordings has many patches that are the same."""
    bank = np.repeat(np.array([[0.0, 0.0], [3.0, 4.0]], np.float32), [100, 30], axis=0)
    found = BandSearch([[bank, bank]]).search([np.zeros((2, 2, 2), np.float32)]).nearest
    distances = np.sort(found.distances, axis=0)
    assert (distances[:NEAR] == 0.0).all()
    assert set(distances.ravel().tolist()) == {0.0}


@pytest.mark.parametrize("offset", [-32.0, 1.0e4])
def test_band_search_tells_patches_far_from_0_apart_that_lie_close_together(offset: float) -> None:
    """Squares of numbers far from 0 would leave nothing of their difference; log-mel of masked bands is like that."""
    rng = np.random.default_rng(0)
    bank = (offset + offset / 2048.0 * rng.integers(-3, 4, (80, 4))).astype(np.float16).astype(np.float32)
    query = bank[:3] + np.float32(abs(offset) / 10000.0)
    found = BandSearch([[bank, bank]]).search([np.stack([query, query], axis=1)]).nearest
    for at in range(3):
        nearest = np.sort(found.distances[:, 2 * at])[:NEAR]
        np.testing.assert_allclose(nearest, np.sort(exact(bank, query[at]))[:NEAR], rtol=1e-6)
