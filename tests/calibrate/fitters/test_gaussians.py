from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrate.fitters.gaussians import RIDGE, Sums, unit_scale, whiten
from edge.detectors.gaussians import Gaussians

BANDS, DIMENSIONS = 2, 5


def cells(count: int, seed: int = 0) -> NDArray[np.float16]:
    """Correlated, and far from zero."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).standard_normal((BANDS, DIMENSIONS, DIMENSIONS))
    drawn = rng.standard_normal((count, BANDS, DIMENSIONS))
    correlated: NDArray[np.float16] = (3.0 + np.einsum("bde,tbe->tbd", mixing, drawn)).astype(np.float16)
    return correlated


def added(moments: int, parts: list[tuple[int, NDArray[np.float16]]]) -> Sums:
    sums = Sums(moments, BANDS, DIMENSIONS)
    for first_cell, part in parts:
        sums.add(first_cell, part)
    return sums


def test_gaussian_of_a_stream_is_the_mean_and_covariance_of_all_cells() -> None:
    heard = cells(200)
    sums = added(1, [(0, heard[:8]), (8, heard[8:20]), (500, heard[20:])])
    ((mean, covariance),) = sums.gaussians()
    values = heard.astype(np.float64)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-6)
    for band in range(BANDS):
        np.testing.assert_allclose(covariance[band], np.cov(values[:, band].T, bias=True), rtol=1e-5, atol=1e-5)


def test_gaussians_of_a_clip_are_those_of_each_moment_with_the_whole_clip_as_many_times_more_as_there_are_dimensions() -> None:
    moments, clips = 10, 40
    heard = [cells(moments, seed) for seed in range(clips)]
    # Clip after clip in one long recording: what follows the last moment is at the first again.
    sums = added(moments, [(index * moments + first, clip[first : first + 5]) for index, clip in enumerate(heard) for first in (0, 5)])
    values = np.stack(heard).astype(np.float64)  # (clip, moment, band, dimension)
    everything = values.reshape(-1, BANDS, DIMENSIONS)
    for moment, (mean, covariance) in enumerate(sums.gaussians()):
        for band in range(BANDS):
            own, all_of_it = values[:, moment, band], everything[:, band]
            expected = (clips * own.mean(axis=0) + DIMENSIONS * all_of_it.mean(axis=0)) / (clips + DIMENSIONS)
            apart, all_apart = own - expected, all_of_it - expected
            squares = apart.T @ apart + DIMENSIONS * all_apart.T @ all_apart / len(all_apart)
            np.testing.assert_allclose(mean[band], expected, rtol=1e-4)
            np.testing.assert_allclose(covariance[band], squares / (clips + DIMENSIONS), rtol=1e-3, atol=1e-3)


def test_gaussian_of_a_moment_that_was_never_heard_is_that_of_the_whole_clip() -> None:
    sums = added(10, [(0, cells(8))])
    mean, covariance = list(sums.gaussians())[9]
    np.testing.assert_allclose(mean, cells(8).astype(np.float64).mean(axis=0), rtol=1e-5)
    assert np.isfinite(covariance).all()


@pytest.mark.parametrize("moments", [1, 12])
def test_sums_less_some_cells_are_those_of_the_others(moments: int) -> None:
    one, other = cells(12, 1), cells(12, 2)
    both = added(moments, [(0, one), (0, other)])
    both -= added(moments, [(0, other)])
    alone = added(moments, [(0, one)])
    np.testing.assert_array_equal(both.count, alone.count)
    np.testing.assert_allclose(both.first, alone.first, atol=1e-4)
    np.testing.assert_allclose(both.second, alone.second, atol=1e-3)
    both += added(moments, [(0, other)])
    np.testing.assert_array_equal(both.count, added(moments, [(0, one), (0, other)]).count)


def test_unit_scale_brings_each_group_of_dimensions_to_a_mean_variance_of_one() -> None:
    heard = cells(400) * np.array([100.0, 100.0, 0.01, 0.01, 0.01]).astype(np.float16)
    sums = added(1, [(0, heard)])
    scale = unit_scale(sums, [2, 0, 3])
    assert scale[0] == scale[1] != scale[2] == scale[3] == scale[4]
    variances = (heard.astype(np.float64) * scale).var(axis=0).mean(axis=0)
    np.testing.assert_allclose([variances[:2].mean(), variances[2:].mean()], 1.0, rtol=1e-3)


def test_unit_scale_of_what_never_changes_is_finite() -> None:
    assert np.isfinite(unit_scale(added(1, [(0, np.ones((8, BANDS, DIMENSIONS), np.float16))]), [5])).all()


@pytest.mark.parametrize("moments", [1, 8])
def test_whitened_gaussians_give_the_mahalanobis_distance_with_the_ridge(moments: int) -> None:
    sums = added(moments, [(0, cells(8, seed)) for seed in range(20)])
    scale = unit_scale(sums, [2, 3])
    known = whiten(sums, scale)
    judge = Gaussians({"centre": known.centre[None], "whitening": known.whitening[None]}, BANDS, DIMENSIONS)
    heard = cells(8, 99).astype(np.float32)
    found = judge.distances(0, heard * scale)
    for moment, (mean, covariance) in enumerate(sums.gaussians()):
        for t in range(8):
            if t % moments != moment:
                continue
            for band in range(BANDS):
                ridged = covariance[band] * np.outer(scale, scale) + RIDGE * np.eye(DIMENSIONS)
                apart = (heard[t, band] - mean[band]) * scale
                assert found[t, band] == pytest.approx(np.sqrt(apart @ np.linalg.inv(ridged) @ apart), rel=5e-3)


def test_whitened_gaussians_of_what_never_changes_are_finite() -> None:
    sums = added(1, [(0, np.ones((8, BANDS, DIMENSIONS), np.float16))])
    known = whiten(sums, unit_scale(sums, [5]))
    assert np.isfinite(known.centre).all()
    assert np.isfinite(known.whitening).all()
