"""Distances of held-out normal sound, and their scale, for `edge/detectors/standard.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.judgement.heads import Mode

Float32 = NDArray[np.float32]

LEAST_PART = 1e-3  # of the mean distance: the deviation of a band is at least that


def standardise(maps: list[Float32], mode: Mode, least: float = 0.0) -> dict[str, Float32]:
    """Mean and deviation of each band over all recordings, each shape = (band,); the maps, (cell, band), are standardised in place.

    In clip mode all bands have the same, so that the map is one of distances, as published. NaN is no distance and stays.
    """
    heard = [values[~np.isnan(values[:, 0])] for values in maps]
    count = sum(map(len, heard))
    mean = sum(values.sum(axis=0, dtype=np.float64) for values in heard) / count
    if mode == "clip":
        mean = np.full_like(mean, mean.mean())
    variance = sum(np.square(values - mean).sum(axis=0) for values in heard) / count
    if mode == "clip":
        variance = np.full_like(variance, variance.mean())
    deviation = np.maximum(np.sqrt(variance), max(least, LEAST_PART * float(np.abs(mean).mean()), 1e-6))
    for values in maps:
        values -= mean.astype(np.float32)
        values /= deviation.astype(np.float32)
    return {"mean": mean.astype(np.float32), "deviation": deviation.astype(np.float32)}


def laid_out(parts: list[tuple[int, Float32]]) -> Float32:
    """Rows at their cells, shape = (cell, band), NaN in between, of (first cell, rows)."""
    laid = np.full((max(first + len(rows) for first, rows in parts), parts[0][1].shape[1]), np.nan, np.float32)
    for first, rows in parts:
        laid[first : first + len(rows)] = rows
    return laid
