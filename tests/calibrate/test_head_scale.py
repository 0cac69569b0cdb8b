from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrate.head_scale import ONSET_QUANTILE, HeadScale, fit_head_scale


def surprise(scale: HeadScale, distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """As the detector computes it."""
    found: NDArray[np.float32] = (distances - scale.offset) * scale.gain
    return found


def gamma_distances(blocks: int, bands: int, rows_per_block: int = 8) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rows = blocks * rows_per_block
    distances = np.random.default_rng(0).gamma(5.0, 1.0, (rows, bands)).astype(np.float32)
    return distances, np.repeat(np.arange(blocks), rows_per_block)


def test_fit_head_scale_one_block_in_ten_is_above_zero() -> None:
    distances, blocks = gamma_distances(1000, 16)
    _, per_block = fit_head_scale(distances, blocks, 1000)
    assert (per_block > 0).mean() == pytest.approx(1 - ONSET_QUANTILE, abs=0.002)
    assert per_block[per_block > 0].mean() == pytest.approx(1.0, rel=0.5)  # in units of the tail, or flatter where that is small


def test_fit_head_scale_block_is_as_surprising_as_its_most_surprising_cell() -> None:
    distances, blocks = gamma_distances(200, 16)
    scale, per_block = fit_head_scale(distances, blocks, 200)
    seen = surprise(scale, distances).reshape(200, -1).max(axis=1)
    assert per_block == pytest.approx(seen, abs=1e-3)


def test_fit_head_scale_bands_of_any_size_and_offset_count_the_same() -> None:
    distances, blocks = gamma_distances(500, 4)
    size = np.array([0.3, 1.0, 5.0, 20.0], np.float32)
    offset = np.array([0.0, 5.0, 20.0, 100.0], np.float32)
    plain, per_block = fit_head_scale(distances, blocks, 500)
    stretched, per_block_stretched = fit_head_scale(distances * size + offset, blocks, 500)
    assert surprise(stretched, distances * size + offset) == pytest.approx(surprise(plain, distances), abs=0.02)
    assert per_block_stretched == pytest.approx(per_block, abs=0.02)


def test_fit_head_scale_of_a_head_that_was_silent_in_some_blocks_leaves_them_out() -> None:
    distances, blocks = gamma_distances(100, 4)
    scale, per_block = fit_head_scale(distances, blocks + 50, 200)
    assert np.isneginf(per_block[:50]).all()
    assert np.isneginf(per_block[150:]).all()
    alone, per_block_alone = fit_head_scale(distances, blocks, 100)
    assert per_block[50:150].tolist() == per_block_alone.tolist()
    assert scale.offset.tolist() == alone.offset.tolist()


@pytest.mark.parametrize("value", [0.0, 1e-9, 3.0, 6e4])
@pytest.mark.parametrize("count", [1, 50])
def test_fit_head_scale_of_equal_distances_stays_finite(value: float, count: int) -> None:
    distances = np.full((count, 3), value, np.float32)
    scale, per_block = fit_head_scale(distances, np.arange(count), count)
    assert np.isfinite(per_block).all()
    assert np.isfinite(scale.offset).all()
    assert np.isfinite(scale.gain).all()
    assert (scale.gain > 0).all()
    assert np.isfinite(surprise(scale, distances + 100)).all()


def test_fit_head_scale_of_one_steady_band_does_not_let_it_drown_the_others() -> None:
    distances, blocks = gamma_distances(500, 4)
    distances[:, 2] = 4.0
    scale, per_block = fit_head_scale(distances, blocks, 500)
    assert (per_block > 0).mean() == pytest.approx(1 - ONSET_QUANTILE, abs=0.01)
    assert surprise(scale, distances)[:, 2].max() <= 0


def test_fit_head_scale_with_a_least_distance_is_no_finer_than_that() -> None:
    distances = 45.0 + np.random.default_rng(0).exponential(0.01, (500, 1)).astype(np.float32)
    blocks = np.arange(500)
    fine, per_block_fine = fit_head_scale(distances, blocks, 500)
    coarse, per_block = fit_head_scale(distances, blocks, 500, least=0.1)
    assert fine.gain[0] > 20
    assert coarse.gain == pytest.approx(10.0)
    assert per_block.max() < 1 < per_block_fine.max()
    assert coarse.offset == pytest.approx(fine.offset)
    rough, _ = fit_head_scale(100 * distances, blocks, 500, least=0.1)
    assert rough.gain == pytest.approx(fit_head_scale(100 * distances, blocks, 500)[0].gain)  # it was coarser than that already
