"""PatchCore for endless sound (Roth et al. 2022; "From Vision to Sound", section 2.2), on several features.

CNN14 and log-mel patches hear different faults, and both see sound whose level was normalised; so the level itself is a feature too. These
features have banks, and their distances are brought to one scale by what normal sound reached that was not in the bank
(calibrate/fitters/patchcore.py). The loudness of each band needs no bank: what it has beyond the moments around it is strange by itself
(edge/judgement/heads.py), in units of how much normal sound varies within ten seconds (calibrate/fitters/excess.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.comparison import Comparison
from edge.detectors.detector import EXCESS, LEVEL, LOGMEL, Deviation, Parts, real_cells, require_network
from edge.detectors.embedding import LOGMEL_DIMENSIONS, Embedder
from edge.detectors.standard import Standard, numbers
from edge.features.backbone import BLOCK_SHAPES
from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]

BANKED = ("cnn14", LOGMEL, LEVEL)
FEATURES = (*BANKED[:-1], EXCESS, LEVEL)


class PatchCore:
    """A fitted PatchCore: for each feature a bank per band, and the mean and deviation of normal distances."""

    lag_blocks = 1  # a cell waits for its right-hand neighbour

    def __init__(self, arrays: Mapping[str, Arrays]) -> None:
        """`arrays` are a bundle's: `projection` (block2..4), for each feature what a `Comparison` needs, and for `excess` a `Standard`.

        Bundles of versions before there was an excess are judged without. Raises KeyError or ValueError when they do not belong together.
        """
        self.bands = len(arrays[LOGMEL]["mean"])
        self._projection: dict[str, Float32] = {}
        widths = {LOGMEL: LOGMEL_DIMENSIONS, LEVEL: 1}
        if "cnn14" in arrays:
            widths["cnn14"] = arrays["projection"]["block2"].shape[-1]
            self._projection = {
                name: numbers(f"projection.{name}", arrays["projection"][name], (channels, widths["cnn14"]))
                for name, (_, _, channels) in BLOCK_SHAPES.items()
            }
        there = {*widths, EXCESS} if EXCESS in arrays else {*widths}
        self.features: Mapping[str, int] = {name: 1 if name == LEVEL else self.bands for name in FEATURES if name in there}
        self._comparisons = {name: Comparison(name, arrays[name], self.features[name], width) for name, width in widths.items()}
        self._excess = Standard(EXCESS, arrays[EXCESS], self.bands) if EXCESS in arrays else None

    @classmethod
    def load(cls, parts: Parts) -> PatchCore:
        """Make one of a bundle's parts; see `Detector.load`."""
        if "cnn14" in parts.arrays:
            require_network(parts)
        return cls(parts.arrays)

    def stream(self) -> PatchCoreStream:
        """Start a segment."""
        return PatchCoreStream(self)

    def embedder(self) -> Embedder:
        """A new embedder with this detector's projection."""
        return Embedder(self._projection, self.bands)

    def deviation(self, feature: str, first_cell: int, patches: Float32) -> Deviation:
        """How far patches, shape = (time, band, dimension), are from the normal ones in their own band."""
        if feature == EXCESS and self._excess is not None:
            return self._excess.deviation(first_cell, patches[..., 0])
        return self._comparisons[feature].deviation(first_cell, patches)


class PatchCoreStream:
    """PatchCore's state for one segment."""

    def __init__(self, detector: PatchCore) -> None:
        self._detector = detector
        self._embedder = detector.embedder()

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; see `DetectorStream.push`."""
        embeddings = self._embedder.push(block)
        real = real_cells(embeddings.first_cell, cells)
        return [
            self._detector.deviation(feature, embeddings.first_cell + real.start, embeddings.of(feature)[real])
            for feature in self._detector.features
            if real.stop > real.start
        ]
