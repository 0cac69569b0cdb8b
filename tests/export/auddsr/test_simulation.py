from __future__ import annotations

import numpy as np
import pytest

from export.auddsr.simulation import band_mask, perlin_mask, perlin_noise, simulated_mask


def slow_noise(
    rng: np.random.Generator, frames: int, mels: int, in_time: int, in_mel: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Perlin's noise, point by point."""
    angles = rng.uniform(0.0, 2.0 * np.pi, (in_time + 1, in_mel + 1))
    noise = np.empty((frames, mels))
    for t in range(frames):
        for m in range(mels):
            y, x = (t + 0.5) * in_time / frames, (m + 0.5) * in_mel / mels
            total = 0.0
            for node_y in (int(y), int(y) + 1):
                for node_x in (int(x), int(x) + 1):
                    away_y, away_x = y - node_y, x - node_x
                    rise = np.cos(angles[node_y, node_x]) * away_y + np.sin(angles[node_y, node_x]) * away_x
                    weight = 1.0
                    for away in (abs(away_y), abs(away_x)):
                        weight *= 1.0 - (6 * away**5 - 15 * away**4 + 10 * away**3)
                    total += weight * rise
            noise[t, m] = np.sqrt(2.0) * total
    return noise


@pytest.mark.parametrize("meshes", [(1, 1), (4, 2), (2, 8)])
def test_perlin_noise_equals_the_slow_way(meshes: tuple[int, int]) -> None:
    fast = perlin_noise(np.random.default_rng(3), 24, 16, *meshes)
    np.testing.assert_allclose(fast, slow_noise(np.random.default_rng(3), 24, 16, *meshes), atol=1e-12)


def test_perlin_noise_is_about_one_at_most_and_smooth() -> None:
    noise = np.stack([perlin_noise(np.random.default_rng(seed), 256, 128, 8, 8) for seed in range(20)])
    assert 0.5 < np.abs(noise).max() <= 1.0
    assert abs(noise.mean()) < 0.02
    assert np.abs(np.diff(noise, axis=1)).max() < 0.15


def test_perlin_mask_is_never_empty_and_blots_of_many_sizes() -> None:
    masks = [perlin_mask(np.random.default_rng(seed), 256, 128) for seed in range(100)]
    shares = [mask.mean() for mask in masks]
    assert min(shares) > 0.0
    assert max(shares) < 0.5
    edges = [np.count_nonzero(np.diff(mask.astype(int), axis=0)) for mask in masks]  # many where there are many small blots
    assert np.quantile(edges, 0.9) > 5 * np.quantile(edges, 0.1)


def test_band_mask_is_one_band_in_one_or_several_segments() -> None:
    segments, throughout = [], 0
    for seed in range(400):
        mask = band_mask(np.random.default_rng(seed), 256, 100)
        assert mask.shape == (256, 100)
        bands = np.flatnonzero(mask.any(axis=0))
        assert 4 <= len(bands) <= 100
        assert bands[-1] - bands[0] == len(bands) - 1
        times = mask.any(axis=1)
        np.testing.assert_array_equal(mask, np.outer(times, mask.any(axis=0)))  # a band and times, and nothing else
        segments.append(int(np.count_nonzero(np.diff(times.astype(int), prepend=0) == 1)))
        throughout += bool(times.all())
    assert set(segments) == {1, 2, 3, 4, 5}  # those that overlap are one
    assert 70 < throughout < 130  # a quarter


def test_simulated_mask_is_of_both_kinds_and_the_same_for_a_seed() -> None:
    kinds = []
    for seed in range(40):
        mask = simulated_mask(np.random.default_rng(seed), 256, 128)
        np.testing.assert_array_equal(mask, simulated_mask(np.random.default_rng(seed), 256, 128))
        assert mask.any()
        kinds.append(bool((mask == np.outer(mask.any(axis=1), mask.any(axis=0))).all()))
    assert 10 < sum(kinds) < 35
