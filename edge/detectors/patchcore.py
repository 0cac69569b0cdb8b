"""PatchCore for endless sound (Roth et al. 2022; "From Vision to Sound", section 2.2), on several features.

CNN14 and log-mel patches hear different faults. Both have banks, and their distances are brought to one scale by what normal sound reached
that was not in the bank (calibrate/fitters/patchcore.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.comparison import Comparison
from edge.detectors.detector import EXCESS, LOGMEL, DetectorStream, Deviation, Parts, Patches, real_cells, require_network
from edge.detectors.embedding import LOGMEL_DIMENSIONS, Embedder, Embeddings
from edge.detectors.loudness import Loudness
from edge.detectors.standard import numbers
from edge.features.backbone import BLOCK_SHAPES
from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]

PATCHES = ("cnn14", LOGMEL)
FEATURES = (*PATCHES, EXCESS)


class PatchCore:
    """A fitted PatchCore: for each feature a bank per band, and the mean and deviation of normal distances."""

    lag_blocks = 1  # a cell waits for its right-hand neighbour

    def __init__(self, arrays: Mapping[str, Arrays]) -> None:
        """`arrays` are a bundle's: `projection` (block2..4), what a `Comparison` takes for each kind of patches, and what a `Loudness`.

        Raises KeyError or ValueError when they do not belong together.
        """
        self.bands = len(arrays[LOGMEL]["mean"])
        self._projection: dict[str, Float32] = {}
        widths = {LOGMEL: LOGMEL_DIMENSIONS}
        if "cnn14" in arrays:
            widths["cnn14"] = arrays["projection"]["block2"].shape[-1]
            self._projection = {
                name: numbers(f"projection.{name}", arrays["projection"][name], (channels, widths["cnn14"]))
                for name, (_, _, channels) in BLOCK_SHAPES.items()
            }
        self._compared = [name for name in PATCHES if name in widths]
        self._comparison = Comparison(arrays, self.bands, {name: widths[name] for name in self._compared})
        self._loudness = Loudness(arrays, self.bands)
        self.features: Mapping[str, int] = {**dict.fromkeys(self._compared, self.bands), **self._loudness.features}

    @classmethod
    def load(cls, parts: Parts) -> PatchCore:
        """Make one of a bundle's parts; see `Detector.load`."""
        if "cnn14" in parts.arrays:
            require_network(parts)
        return cls(parts.arrays)

    def stream(self) -> PatchCoreStream:
        """Start a segment."""
        return PatchCoreStream(self)

    @property
    def projection(self) -> dict[str, Float32]:
        """Of CNN14's features, by block; empty where the backbone has no network."""
        return self._projection

    def embedder(self) -> Embedder:
        """A new embedder with this detector's projection."""
        return Embedder(self._projection, self.bands)

    def deviations(self, embeddings: Embeddings, real: slice) -> list[Deviation]:
        """How far some of eight cells are from normal: patches from the normal ones in their own band, and how loud they are."""
        first_cell = embeddings.first_cell + real.start
        patches = self._comparison.deviations(first_cell, {name: embeddings.of(name)[real] for name in self._compared})
        return [*patches, *self._loudness.deviations(first_cell, embeddings.excess[real], embeddings.level[real, 0, 0])]


class PatchCoreStream(DetectorStream):
    """PatchCore's state for one segment."""

    def __init__(self, detector: PatchCore) -> None:
        self._detector = detector
        self._embedder = detector.embedder()
        self._latest: tuple[Embeddings, slice] | None = None

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; see `DetectorStream.push`."""
        embeddings = self._embedder.push(block)
        real = real_cells(embeddings.first_cell, cells)
        self._latest = embeddings, real
        return self._detector.deviations(embeddings, real) if real.stop > real.start else []

    def latest(self) -> Patches | None:
        """The patches of the cells that were judged last; see `DetectorStream.latest`."""
        if self._latest is None or self._latest[1].stop <= self._latest[1].start:
            return None
        embeddings, real = self._latest
        return Patches(embeddings.first_cell + real.start, {name: embeddings.of(name)[real] for name in self._detector.features})
