"""CFA for endless sound (Lee et al. 2022; "From Vision to Sound", section 2.2): descriptors of patches, and spheres around normal ones.

A network of one layer, trained on normal sound (export/cfa/training.py), turns the aligned, concatenated features of CNN14's blocks 2, 3
and 4 into descriptors that lie close to the centres of a small memory bank. Each mel band has its own centres: see
`edge/detectors/bank.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.detectors.cellwise import CellwiseStream
from edge.detectors.detector import Parts, require_network
from edge.detectors.loudness import Loudness
from edge.detectors.network import Network
from edge.detectors.selection import CHANNELS, Selection
from edge.detectors.standard import Standard, numbers
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS

Float32 = NDArray[np.float32]

CFA = "cfa"
MEMBER = "cfa.onnx"
NEAREST = 3  # K, the centres that a score is made of


class Cfa:
    """A fitted CFA: its descriptor network and the centres of each band."""

    lag_blocks = 0

    def __init__(self, parts: Parts) -> None:
        """`parts` hold `cfa.onnx`, the arrays `spheres` (`centres`, shape = (band, centre, dimension)), `cfa` and what a `Loudness` takes.

        Raises KeyError, ValueError or BundleError when they do not belong together.
        """
        self.bands = parts.bands
        self._centres = numbers("spheres.centres", parts.arrays["spheres"]["centres"], (self.bands, None, None))
        if self._centres.shape[1] < NEAREST:
            raise ValueError(f"spheres.centres are {self._centres.shape[1]} for each band; at least {NEAREST} are needed")
        self._lengths = np.square(self._centres).sum(axis=2)[:, None]  # (band, 1, centre)
        self._turned = np.ascontiguousarray(self._centres.transpose(0, 2, 1))  # (band, dimension, centre)
        self._network = Network(parts, MEMBER, (BLOCK_CELLS, self.bands, CHANNELS), (BLOCK_CELLS, self.bands, self._centres.shape[2]))
        self._selection = Selection(np.arange(CHANNELS), self.bands)
        self._standard = Standard(CFA, parts.arrays[CFA], self.bands)
        self._loudness = Loudness(parts.arrays, self.bands)
        self.features: Mapping[str, int] = {CFA: self.bands, **self._loudness.features}

    @classmethod
    def load(cls, parts: Parts) -> Cfa:
        """Make one of a bundle's parts; see `Detector.load`."""
        require_network(parts)
        return cls(parts)

    def stream(self) -> CellwiseStream:
        """Start a segment."""
        return CellwiseStream(self.distances, self._standard, self._loudness)

    def distances(self, block: FeatureBlock) -> Float32:
        """The score of each of 8 cells, shape = (8, band)."""
        descriptors = self._network(self._selection.of(block.features)).transpose(1, 0, 2)  # (band, 8, dimension)
        squared = np.square(descriptors).sum(axis=2, keepdims=True) + self._lengths - 2.0 * (descriptors @ self._turned)
        nearest = np.sqrt(np.maximum(np.partition(squared, NEAREST - 1, axis=2)[..., :NEAREST], 0.0))
        return softmin_weighted(nearest).T


def softmin_weighted(distances: Float32) -> Float32:
    """The smallest of each row of distances, times its softmin among them, shape = (...), of (..., K): the score of Lee et al. 2022.

    A patch that is as near to one centre as to the next is less certain to belong to any.
    """
    smallest = distances.min(axis=-1)
    weights = np.exp(smallest[..., None] - distances).sum(axis=-1)
    weighted: Float32 = smallest / weights
    return weighted
