from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


def with_each_fold_left_out(bank: Float32, folds: list[int], queries: Float32) -> NDArray[np.float64]:
    pieces = np.split(bank, np.cumsum(folds)[:-1])
    others = [np.concatenate([piece for k, piece in enumerate(pieces) if k != left_out]) for left_out in range(len(pieces))]
    left_out: NDArray[np.float64] = np.stack([brute_force(rest, queries) for rest in others]).mean(axis=0)
    return left_out


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), folds=st.lists(st.integers(1, 30), min_size=2, max_size=5), shared=st.booleans())
def test_banks_of_folds_give_the_mean_over_what_is_met_with_each_left_out(seed: int, folds: list[int], shared: bool) -> None:
    """Folds that lie apart, so that all near neighbours of many a query are of one of them."""
    rng = np.random.default_rng(seed)
    near = [rng.normal(4.0 * fold, 1.0, (size, 3)) for fold, size in enumerate(folds)]
    banks = [np.concatenate(near).astype(np.float32) + np.float32(band) for band in range(1 if shared else 2)]
    queries = rng.normal(4.0, 4.0, (9, 2, 3)).astype(np.float32)
    found = Banks(banks, folds).distances(queries)
    for band in range(2):
        expected = with_each_fold_left_out(banks[0 if shared else band], folds, queries[:, band])
        np.testing.assert_allclose(found[:, band], expected, rtol=1e-4, atol=1e-4)


def test_banks_of_one_fold_are_compared_as_a_whole() -> None:
    bank, queries = patches(20, 8, seed=0), patches(5, 1, 8, seed=1)
    np.testing.assert_array_equal(Banks([bank], [20]).distances(queries), Banks([bank]).distances(queries))


@pytest.mark.parametrize("folds", [[10, 9], [10, 11], [20, 0], [21, -1]])
def test_banks_that_their_folds_do_not_make_up_are_refused(folds: list[int]) -> None:
    with pytest.raises(ValueError, match="a bank of 20 patches is not made up of folds"):
        Banks([patches(20, 8, seed=0)], folds)


def test_banks_hear_new_sound_as_far_away_as_what_was_held_out() -> None:
    """Why folds are told: a sixth recording against the bank of five is nearer than each of the five was to the other four."""
    recordings = patches(25, 200, 6, seed=3)
    bank, folds, queries = recordings[:5].reshape(-1, 6), [200] * 5, recordings[5:].reshape(-1, 1, 6)
    held_out = [Banks([np.delete(recordings[:5], k, axis=0).reshape(-1, 6)]).distances(recordings[k][:, None]).mean() for k in range(5)]
    left_out = [Banks([np.delete(recordings[:5], k, axis=0).reshape(-1, 6)]).distances(queries).mean() for k in range(5)]
    new = Banks([bank], folds).distances(queries).mean()
    assert new == pytest.approx(np.mean(left_out), rel=1e-5)
    assert new == pytest.approx(np.mean(held_out), rel=0.02)
    assert Banks([bank]).distances(queries).mean() < 0.97 * new


def test_banks_half_of_the_spacing_of_a_patch_is_taken_off_its_distance() -> None:
    bank, spacing = np.array([[0.0], [10.0]], np.float32), np.array([[1.0, 8.0]], np.float32)
    queries = np.array([0.0, 4.0, 6.0, 10.0], np.float32)[:, None, None]
    np.testing.assert_allclose(Banks([bank], spacing=[spacing]).distances(queries)[:, 0], [-0.5, 2.0, 0.0, -4.0])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), folds=st.lists(st.integers(1, 4), min_size=2, max_size=5), shared=st.booleans())
def test_banks_with_spacing_give_the_mean_over_what_is_met_with_each_fold_left_out(seed: int, folds: list[int], shared: bool) -> None:
    rng = np.random.default_rng(seed)
    count, kinds = sum(folds), 1 if shared else 2
    banks = [rng.normal(0.0, 2.0, (min(count, 8), 3)).astype(np.float32) for _ in range(kinds)]  # all of them are among the nearest eight
    folds = [size for size in np.diff(np.minimum(np.cumsum([0, *folds]), 8)).tolist() if size]
    parts = len(folds) if len(folds) > 1 else 1
    spacing = [rng.uniform(0.0, 4.0, (parts, len(bank))).astype(np.float32) for bank in banks]
    queries = rng.normal(0.0, 3.0, (5, 2, 3)).astype(np.float32)
    fold = np.repeat(np.arange(len(folds)), folds)
    found = Banks(banks, folds, spacing).distances(queries)
    for band in range(2):
        bank, spaces = banks[0 if shared else band], spacing[0 if shared else band]
        plain = np.sqrt(np.square(queries[:, band, None].astype(np.float64) - bank).sum(axis=2))  # (query, patch)
        eased = [(plain - 0.5 * spaces[left_out])[:, (fold != left_out) | (parts == 1)].min(axis=1) for left_out in range(parts)]
        np.testing.assert_allclose(found[:, band], np.mean(eased, axis=0), rtol=1e-4, atol=1e-4)


def test_banks_with_a_spacing_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="have a spacing of"):
        Banks([patches(20, 8, seed=0)], [12, 8], [np.zeros((1, 20), np.float32)])
