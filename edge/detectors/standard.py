"""Distances of one feature on a common scale: standard deviations of held-out normal sound, band by band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.detector import Deviation

Float32 = NDArray[np.float32]


class Standard:
    """The mean and deviation of normal distances, per band."""

    def __init__(self, feature: str, fitted: Arrays, bands: int) -> None:
        """`fitted` holds `mean` and `deviation`, each shape = (band,); KeyError or ValueError when it does not."""
        self.feature = feature
        self._mean = numbers(f"{feature}.mean", fitted["mean"], (bands,))
        self._deviation = numbers(f"{feature}.deviation", fitted["deviation"], (bands,))
        if not (self._deviation > 0).all():
            raise ValueError(f"{feature}.deviation is not positive")

    def deviation(self, first_cell: int, distances: Float32) -> Deviation:
        """How far distances, shape = (time, band), are from normal ones."""
        return Deviation(self.feature, first_cell, (distances - self._mean) / self._deviation)


def numbers(name: str, array: NDArray[np.generic], shape: tuple[int | None, ...]) -> Float32:
    """Return `array` as float32; ValueError unless it holds finite numbers and has that shape, in which None is any length but 0."""
    if array.ndim != len(shape) or any(n == 0 or wanted not in (None, n) for n, wanted in zip(array.shape, shape, strict=True)):
        raise ValueError(f"{name} has the shape {array.shape}")
    found = array.astype(np.float32)
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds values that are not finite numbers")
    return found
