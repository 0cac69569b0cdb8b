from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.detectors.bank import Banks

Float32 = NDArray[np.float32]


def patches(*shape: int, seed: int) -> Float32:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def brute_force(bank: Float32, queries: Float32) -> NDArray[np.float64]:
    return np.array([min(float(np.sqrt(((query - patch) ** 2).sum())) for patch in bank.astype(np.float64)) for query in queries])


def test_banks_per_band_equal_brute_force_in_their_own_band() -> None:
    banks = [patches(20 + 5 * band, 8, seed=band) for band in range(4)]
    queries = patches(7, 4, 8, seed=9)
    distances = Banks(banks).distances(queries)
    assert distances.shape == (7, 4)
    assert distances.dtype == np.float32
    for band in range(4):
        np.testing.assert_allclose(distances[:, band], brute_force(banks[band], queries[:, band]), rtol=1e-5)


def test_banks_shared_equals_brute_force_over_all_bands() -> None:
    bank = patches(50, 8, seed=1)
    queries = patches(30, 4, 8, seed=9)
    distances = Banks([bank]).distances(queries)
    for band in range(4):
        np.testing.assert_allclose(distances[:, band], brute_force(bank, queries[:, band]), rtol=1e-4)


def test_banks_known_patch_is_at_no_distance() -> None:
    banks = [patches(40, 64, seed=band) * 100 for band in range(2)]
    queries = np.stack([bank[5:9] for bank in banks], axis=1)
    np.testing.assert_array_equal(Banks(banks).distances(queries), np.zeros((4, 2)))


def test_banks_take_views_and_many_rows() -> None:
    banks = [patches(30, 8, seed=band) for band in range(3)]
    queries = patches(500, 3, 8, seed=4)
    many = Banks(banks).distances(queries[::2])
    few = np.concatenate([Banks(banks).distances(row[None]) for row in queries[::2]])
    np.testing.assert_allclose(many, few, rtol=1e-4)
