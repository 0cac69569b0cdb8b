"""From distance to surprise: one scale for all heads and bands, set by out-of-fold normal sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

ONSET_QUANTILE = 0.9  # one block in ten of normal sound reaches surprise 0
# A head that happened to vary very little on few recordings must not cry at the next one: its scale is at least this part
# of its onset.
LEAST_SCALE = 0.2


@dataclass(frozen=True, slots=True)
class HeadScale:
    """surprise = (distance - offset) * gain."""

    offset: Float32  # (band,)
    gain: Float32  # (band,)


def fit_head_scale(distances: Float32, blocks: NDArray[np.int64], count: int, least: float = 0.0) -> tuple[HeadScale, Float64]:
    """Fit one head.

    Bands differ in how far apart normal patches lie, so each is centred on its median and scaled by its median absolute
    deviation. The head speaks through its most surprising cell; how high that gets in a block of normal sound is modelled
    as an exponential tail above the 0.9 quantile, and surprise is counted in units of that tail.

    Parameters
    ----------
    distances
        Out-of-fold distances, shape = (rows, band) float32.
    blocks
        The block that each row belongs to, shape = (rows,), ascending.
    count
        Number of blocks in all.
    least
        The distance that a unit of surprise is at least worth, in every band.

    Returns
    -------
    The scale, and the surprise of each block, shape = (count,), minus infinity where the head did not speak.
    """
    median = np.median(distances, axis=0)  # (band,)
    spread = 1.4826 * np.median(np.abs(distances - median), axis=0)
    spread = np.maximum(spread, 1e-3 * max(float(np.median(median)), float(distances.std()), 1e-6))
    highest = ((distances - median) / spread).max(axis=1).astype(np.float64)  # (rows,)
    per_block = np.full(count, -np.inf)
    np.maximum.at(per_block, blocks, highest)
    spoken = per_block[np.isfinite(per_block)]
    onset = float(np.quantile(spoken, ONSET_QUANTILE))
    above = spoken[spoken > onset]
    scale = max(float((above - onset).mean()) if len(above) else 0.0, LEAST_SCALE * abs(onset), least / float(spread.min()), 1e-6)
    offset = (median + onset * spread).astype(np.float32)
    gain = (1.0 / (spread * scale)).astype(np.float32)
    return HeadScale(offset, gain), (per_block - onset) / scale
