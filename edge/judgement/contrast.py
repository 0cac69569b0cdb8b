"""What stands out in a window: contrasts, moments, and means over a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import EXCESS
from edge.judgement.medians import medians

Float64 = NDArray[np.float64]

LARGEST = 5  # bands of a column
USUAL = 0.75  # of the median of a window: what moments are free of
ALL_USUAL = frozenset({EXCESS})  # features of which the whole median is taken off
SECOND_CELLS = 32  # 1.28 s at 32 kHz


def moments(deviations: NDArray[np.floating]) -> Float64:
    """The mean of the five largest deviations in each column of cells, shape = (time,), of (time, band) without NaN."""
    bands = deviations.shape[1]
    largest = deviations if bands <= LARGEST else np.partition(deviations, bands - LARGEST, axis=1)[:, bands - LARGEST :]
    means: Float64 = largest.mean(axis=1, dtype=np.float64)
    return means


def usual(deviations: NDArray[np.floating], feature: str) -> Float64:
    """What is usual in each band of a window (time, band), shape = (band,), as far as it is taken off its cells; 0 if all was lost."""
    heard = ~np.isnan(deviations[:, 0])
    if not heard.any():
        return np.zeros(deviations.shape[1])
    bands = np.ascontiguousarray((deviations if heard.all() else deviations[heard]).T)  # (band, time)
    return (1.0 if feature in ALL_USUAL else USUAL) * medians(bands)


def contrast(deviations: NDArray[np.floating], feature: str, known: Float64 | None = None) -> Float64:
    """How far each cell is from normal beyond what is usual around it, shape = (time, band), of a window (time, band); NaN stays so.

    `known` is what is usual, if that is known.
    """
    beyond: Float64 = deviations - (usual(deviations, feature) if known is None else known)
    return beyond


def standing_out(deviations: NDArray[np.floating], feature: str, known: Float64 | None = None) -> Float64:
    """The contrast of each cell plus the mean of its column, shape = (time, band), of a window (time, band); NaN stays so.

    A cell counts for more where its whole column is unusual: few faults are heard in a single band.
    """
    beyond = contrast(deviations, feature, known)
    standing: Float64 = beyond + beyond.mean(axis=1, keepdims=True)
    return standing


def over_a_second(deviations: NDArray[np.floating]) -> Float64:
    """The mean over the 32 cells around each, of those that exist, shape = (time, band); NaN where there was no sound."""
    heard = ~np.isnan(deviations)
    sums = np.pad(np.cumsum(np.where(heard, deviations, 0.0), axis=0, dtype=np.float64), ((1, 0), (0, 0)))
    counts = np.pad(np.cumsum(heard, axis=0), ((1, 0), (0, 0)))
    cells = np.arange(len(deviations))
    first, last = np.maximum(cells - SECOND_CELLS // 2, 0), np.minimum(cells + SECOND_CELLS // 2, len(deviations))
    means: Float64 = (sums[last] - sums[first]) / np.maximum(counts[last] - counts[first], 1)
    return np.where(heard, means, np.nan)
