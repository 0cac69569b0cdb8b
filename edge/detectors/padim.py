"""PaDiM for endless sound (Defard et al. 2021; "From Vision to Sound", section 2.2): Gaussians of CNN14's features.

The features of blocks 2, 3 and 4 are aligned on block 2's grid and concatenated, and a random choice of their 896 dimensions is kept
(section 3.1 of the paper: it does as well as principal components, and costs nothing). What is normal is a Gaussian per place. In an
endless stream a place is a mel band; among clips of one length it is a cell of the clip, as published: (time, mel).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.cellwise import CellwiseStream
from edge.detectors.detector import Parts, require_network
from edge.detectors.gaussians import Gaussians
from edge.detectors.loudness import Loudness
from edge.detectors.selection import Selection
from edge.detectors.standard import Standard, numbers
from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]

PADIM = "padim"


class Padim:
    """A fitted PaDiM."""

    lag_blocks = 0

    def __init__(self, arrays: Mapping[str, Arrays], bands: int) -> None:
        """`arrays` are a bundle's: `gaussians`, `padim` and what a `Loudness` takes.

        `gaussians` holds what `Gaussians` takes, and `dimensions` and `scale`, each shape = (d,): what is chosen, and multiplied by what.
        Raises KeyError or ValueError when they do not belong together.
        """
        fitted = arrays["gaussians"]
        self.bands = bands
        self._selection = Selection(fitted["dimensions"], bands)
        self._scale = numbers("gaussians.scale", fitted["scale"], (self._selection.count,))
        self._gaussians = Gaussians(fitted, bands, self._selection.count)
        self._standard = Standard(PADIM, arrays[PADIM], bands)
        self._loudness = Loudness(arrays, bands)
        self.features: Mapping[str, int] = {PADIM: bands, **self._loudness.features}

    @classmethod
    def load(cls, parts: Parts) -> Padim:
        """Make one of a bundle's parts; see `Detector.load`."""
        require_network(parts)
        return cls(parts.arrays, parts.bands)

    def stream(self) -> CellwiseStream:
        """Start a segment."""
        return CellwiseStream(self.distances, self._standard, self._loudness)

    def distances(self, block: FeatureBlock) -> Float32:
        """The Mahalanobis distance of each of 8 cells, shape = (8, band)."""
        return self._gaussians.distances(block.first_cell, self._selection.of(block.features) * self._scale)
