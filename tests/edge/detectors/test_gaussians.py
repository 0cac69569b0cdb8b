from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detectors.gaussians import Gaussians, packed, unpacked

Float64 = NDArray[np.float64]

BANDS, DIMENSIONS = 3, 4


def gaussians(folds: int, moments: int) -> tuple[dict[str, NDArray[Any]], Float64]:
    """Arrays as a bundle holds them, and the covariances that they were made of."""
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((folds, moments, BANDS, DIMENSIONS, DIMENSIONS))
    covariance = mixed @ mixed.swapaxes(-1, -2) + np.eye(DIMENSIONS)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    centre = rng.standard_normal((folds, moments, BANDS, DIMENSIONS)).astype(np.float32)
    return {"centre": centre, "whitening": packed(whitening)}, covariance


def mahalanobis(x: Float64, mean: Float64, covariance: Float64) -> float:
    return float(np.sqrt((x - mean) @ np.linalg.inv(covariance) @ (x - mean)))


def test_gaussians_distance_of_a_known_ellipse() -> None:
    """Standard deviations of 2 and 1 along the axes: (2, 0) and (0, 1) are both at 1, and (4, 1) at the root of 5."""
    fitted: dict[str, NDArray[Any]] = {
        "centre": np.array([[[[1.0, 1.0]]]], np.float32),
        "whitening": np.array([[[[0.5, 0.0, 1.0]]]], np.float16),
    }
    cells = np.array([[[3.0, 1.0]], [[1.0, 2.0]], [[5.0, 2.0]]], np.float32)
    np.testing.assert_allclose(Gaussians(fitted, 1, 2).distances(0, cells)[:, 0].tolist(), [1.0, 1.0, 5.0**0.5], rtol=1e-6)


@pytest.mark.parametrize("moments", [1, 10])
@pytest.mark.parametrize("folds", [1, 3])
def test_gaussians_distance_is_the_mean_mahalanobis_distance_over_the_folds(folds: int, moments: int) -> None:
    fitted, covariance = gaussians(folds, moments)
    cells = np.random.default_rng(1).standard_normal((8, BANDS, DIMENSIONS)).astype(np.float32)
    found = Gaussians(fitted, BANDS, DIMENSIONS).distances(5, cells)
    assert found.dtype == np.float32
    for t in range(8):
        for band in range(BANDS):
            place = (5 + t) % moments  # what follows a clip is judged as the next one
            expected = np.mean(
                [mahalanobis(cells[t, band], fitted["centre"][f, place, band], covariance[f, place, band]) for f in range(folds)]
            )
            assert found[t, band] == pytest.approx(expected, rel=3e-3)  # of halves


def test_packed_matrices_come_back_as_they_were() -> None:
    lower = np.tril(np.arange(1.0, 33.0).reshape(2, 4, 4))
    assert packed(lower).shape == (2, 10)
    assert packed(lower)[0].tolist() == [1, 5, 6, 9, 10, 11, 13, 14, 15, 16]
    np.testing.assert_array_equal(unpacked(packed(lower)), lower)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("centre", np.zeros((1, 10, BANDS + 1, DIMENSIONS), np.float32)),
        ("centre", np.zeros((1, 10, BANDS, DIMENSIONS - 1), np.float32)),
        ("centre", np.zeros((1, 0, BANDS, DIMENSIONS), np.float32)),
        ("centre", np.full((1, 10, BANDS, DIMENSIONS), np.nan, np.float32)),
        ("whitening", np.zeros((1, 9, BANDS, 10), np.float16)),
        ("whitening", np.zeros((1, 10, BANDS, 16), np.float16)),
        ("whitening", np.full((1, 10, BANDS, 10), np.inf, np.float16)),
    ],
)
def test_gaussians_of_arrays_that_do_not_belong_together_are_refused(name: str, array: NDArray[np.generic]) -> None:
    fitted, _ = gaussians(1, 10)
    with pytest.raises(ValueError, match=f"gaussians.{name}"):
        Gaussians({**fitted, name: array}, BANDS, DIMENSIONS)


@pytest.mark.parametrize("name", ["centre", "whitening"])
def test_gaussians_without_one_of_the_arrays_are_refused(name: str) -> None:
    fitted, _ = gaussians(1, 1)
    del fitted[name]
    with pytest.raises(KeyError, match=name):
        Gaussians(fitted, BANDS, DIMENSIONS)
