"""PatchCore for endless sound (Roth et al. 2022; "From Vision to Sound", section 2.2), on several features.

CNN14 and log-mel patches hear different faults, and both see sound whose level was normalised; so the level itself is a feature too. Each
feature has its banks, and its distances are brought to one scale by what normal sound reached that was not in the bank
(calibrate/fitters/patchcore.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.bank import Banks
from edge.detectors.detector import Deviation
from edge.detectors.embedding import LOGMEL_DIMENSIONS, Embedder, Embeddings
from edge.features.backbone import BLOCK_SHAPES
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS

Float32 = NDArray[np.float32]

FEATURES = ("cnn14", "logmel", "level")


class PatchCore:
    """A fitted PatchCore: for each feature a bank per band, and the mean and deviation of normal distances."""

    def __init__(self, arrays: Mapping[str, Arrays]) -> None:
        """`arrays` are a bundle's: `projection` (block2..4), and for each feature `bank_<b>`, `folds`, `mean` and `deviation`.

        Raises KeyError or ValueError when they do not belong together.
        """
        self.bands = len(arrays["logmel"]["mean"])
        self._projection: dict[str, Float32] = {}
        widths = {"logmel": LOGMEL_DIMENSIONS, "level": 1}
        if "cnn14" in arrays:
            widths["cnn14"] = arrays["projection"]["block2"].shape[-1]
            self._projection = {
                name: _numbers(f"projection.{name}", arrays["projection"][name], (channels, widths["cnn14"]))
                for name, (_, _, channels) in BLOCK_SHAPES.items()
            }
        self.features: Mapping[str, int] = {name: 1 if name == "level" else self.bands for name in FEATURES if name in widths}
        self._banks: dict[str, Banks] = {}
        self._mean: dict[str, Float32] = {}  # (band,) distance of normal sound from the bank
        self._deviation: dict[str, Float32] = {}  # (band,)
        for feature, bands in self.features.items():
            fitted = arrays[feature]
            self._mean[feature] = _numbers(f"{feature}.mean", fitted["mean"], (bands,))
            self._deviation[feature] = _numbers(f"{feature}.deviation", fitted["deviation"], (bands,))
            if not (self._deviation[feature] > 0).all():
                raise ValueError(f"{feature}.deviation is not positive")
            count = sum(name.startswith("bank_") for name in fitted)
            if count not in (1, bands):
                raise ValueError(f"{feature} has {count} banks for {bands} bands")
            self._banks[feature] = Banks(
                [_numbers(f"{feature}.bank_{band}", fitted[f"bank_{band}"], (None, widths[feature])) for band in range(count)],
                [int(patches) for patches in _numbers(f"{feature}.folds", fitted["folds"], (None,))],
            )

    def stream(self) -> PatchCoreStream:
        """Start a segment."""
        return PatchCoreStream(self)

    def embedder(self) -> Embedder:
        """A new embedder with this detector's projection."""
        return Embedder(self._projection, self.bands)

    def deviation(self, feature: str, first_cell: int, values: Float32) -> Deviation:
        """How far patches, shape = (time, band, dimension), are from the nearest normal one in their own band."""
        distances = self._banks[feature].distances(values)  # (time, band)
        return Deviation(feature, first_cell, (distances - self._mean[feature]) / self._deviation[feature])


class PatchCoreStream:
    """PatchCore's state for one segment."""

    def __init__(self, detector: PatchCore) -> None:
        self._detector = detector
        self._embedder = detector.embedder()

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; see `DetectorStream.push`."""
        embeddings = self._embedder.push(block)
        real = real_cells(embeddings, cells)
        return [
            self._detector.deviation(feature, embeddings.first_cell + real.start, embeddings.of(feature)[real])
            for feature in self._detector.features
            if real.stop > real.start
        ]


def real_cells(embeddings: Embeddings, cells: int) -> slice:
    """Which rows are about real sound: those before cell 0 and from `cells` on are mirror images."""
    start = max(0, -embeddings.first_cell)
    return slice(start, max(start, min(BLOCK_CELLS, cells - embeddings.first_cell)))


def _numbers(name: str, array: NDArray[np.generic], shape: tuple[int | None, ...]) -> Float32:
    """Return `array` as float32; ValueError unless it holds finite numbers and has that shape, in which None is any length but 0."""
    if array.ndim != len(shape) or any(n == 0 or wanted not in (None, n) for n, wanted in zip(array.shape, shape, strict=True)):
        raise ValueError(f"{name} has the shape {array.shape}")
    numbers = array.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds values that are not finite numbers")
    return numbers
