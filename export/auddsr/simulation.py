"""Simulated faults: where they are (AudDSR, section 3.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]

THRESHOLD = 0.5  # of Perlin noise
FINEST = 5  # its grid has up to 2^5 meshes along each axis
MOST_SEGMENTS = 5
THROUGHOUT = 0.25  # of the bands: so many of them last for the whole excerpt


def simulated_mask(rng: np.random.Generator, frames: int, mels: int) -> Bools:
    """One of the two processes, drawn evenly: shape = (frames, mels), and never empty."""
    return perlin_mask(rng, frames, mels) if rng.random() < 0.5 else band_mask(rng, frames, mels)


def perlin_mask(rng: np.random.Generator, frames: int, mels: int) -> Bools:
    """Perlin noise above a threshold: blots of any shape. Where none of it gets so high, the highest part of it."""
    meshes = 2 ** rng.integers(0, FINEST + 1, 2)
    noise = perlin_noise(rng, frames, mels, int(meshes[0]), int(meshes[1]))
    mask: Bools = noise > min(THRESHOLD, 0.8 * float(noise.max()))
    return mask


def band_mask(rng: np.random.Generator, frames: int, mels: int) -> Bools:
    """A frequency band in several segments of time, or all the time."""
    mask = np.zeros((frames, mels), np.bool_)
    height = round(float(np.exp(rng.uniform(np.log(min(4, mels)), np.log(mels)))))
    first = int(rng.integers(0, mels - height + 1))
    band = slice(first, first + height)
    if rng.random() < THROUGHOUT:
        mask[:, band] = True
        return mask
    for _ in range(int(rng.integers(1, MOST_SEGMENTS + 1))):
        length = round(float(np.exp(rng.uniform(np.log(min(4, frames)), np.log(max(frames / 2, 1))))))
        start = int(rng.integers(0, frames - length + 1))
        mask[start : start + length, band] = True
    return mask


def perlin_noise(rng: np.random.Generator, frames: int, mels: int, meshes_in_time: int, meshes_in_mel: int) -> Float64:
    """Gradient noise of about -1 .. 1, shape = (frames, mels) (Perlin 1985; fade and blend of Perlin 2002).

    At the nodes of a grid there are slopes of random direction. Between them stands the blend of what the four nearest slopes rise to.
    """
    angles = rng.uniform(0.0, 2.0 * np.pi, (meshes_in_time + 1, meshes_in_mel + 1))
    slopes = np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # (node, node, axis)
    time = (np.arange(frames) + 0.5) * meshes_in_time / frames
    mel = (np.arange(mels) + 0.5) * meshes_in_mel / mels
    node_t, node_m = time.astype(np.int64), mel.astype(np.int64)
    away_t, away_m = time - node_t, mel - node_m

    def rise(step_t: int, step_m: int) -> Float64:
        slope = slopes[node_t[:, None] + step_t, node_m[None, :] + step_m]  # (time, mel, axis)
        rises: Float64 = slope[..., 0] * (away_t[:, None] - step_t) + slope[..., 1] * (away_m[None, :] - step_m)
        return rises

    blend_t, blend_m = _fade(away_t)[:, None], _fade(away_m)[None, :]
    early = rise(0, 0) + blend_m * (rise(0, 1) - rise(0, 0))
    late = rise(1, 0) + blend_m * (rise(1, 1) - rise(1, 0))
    noise: Float64 = np.sqrt(2.0) * (early + blend_t * (late - early))
    return noise


def _fade(away: Float64) -> Float64:
    """0 at 0 and 1 at 1, with slope and curvature 0 at both."""
    faded: Float64 = away**3 * (away * (away * 6.0 - 15.0) + 10.0)
    return faded
