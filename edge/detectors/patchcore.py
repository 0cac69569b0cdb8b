"""PatchCore for endless sound (Roth et al. 2022; "From Vision to Sound", section 2.2), with several heads.

A machine can fail with events (a knock) and with texture (a steady tone that should not be there), and CNN14 and
log-mel patches hear different faults. So five heads listen side by side: {cnn14, logmel} x {patch (one cell),
texture (means over 1.28 s)} and level (broadband gain). Each head's distances are turned into surprise, in the same
unit for all, by what out-of-fold normal sound reached (calibrate/fitters/patchcore.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.bank import Banks
from edge.detectors.detector import Surprise
from edge.detectors.embedding import LOGMEL_DIMENSIONS, Embedder, Embeddings
from edge.detectors.texture import Texture
from edge.features.backbone import BLOCK_SHAPES
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS

Float32 = NDArray[np.float32]

FEATURES = ("cnn14", "logmel")
HEADS = ("cnn14_patch", "cnn14_texture", "logmel_patch", "logmel_texture", "level")


@dataclass(frozen=True, slots=True)
class HeadInput:
    """What one head compares: `values` of consecutive cells, the last cell of each row's span being its own."""

    head: str
    first_cell: int
    span_cells: int
    values: Float32  # (time, band, dimension) float32


class HeadInputs:
    """Turns the embeddings of one segment into what each head compares; calibration fits on the same rows that are scored."""

    def __init__(self) -> None:
        self._textures = {feature: Texture() for feature in FEATURES}
        self._level = Texture()

    def push(self, embeddings: Embeddings, cells: int) -> list[HeadInput]:
        """Split one block of embeddings into head inputs, leaving out cells before 0 and from `cells` on (mirror images)."""
        start = max(0, -embeddings.first_cell)
        stop = min(BLOCK_CELLS, cells - embeddings.first_cell)
        if stop <= start:
            return []
        first = embeddings.first_cell + start
        last = embeddings.first_cell + stop - 1
        final = last == cells - 1
        inputs = []
        for feature in FEATURES:
            patches: Float32 = getattr(embeddings, feature)[start:stop]  # (time, band, dimension)
            inputs.append(HeadInput(f"{feature}_patch", first, 1, patches))
            texture = self._textures[feature].push(patches, final)
            if texture is not None:
                inputs.append(HeadInput(f"{feature}_texture", last, texture[1], texture[0]))
        level = self._level.push(embeddings.level_db[start:stop, None, None], final)
        if level is not None:
            inputs.append(HeadInput("level", last, level[1], level[0]))
        return inputs


class PatchCore:
    """A fitted PatchCore: a bank per head and band, and the affine map from distance to surprise."""

    heads: tuple[str, ...] = HEADS

    def __init__(self, arrays: Mapping[str, Arrays]) -> None:
        """`arrays` are a bundle's: `projection` (block2..4), and for each head `bank_<b>`, `offset` and `gain`.

        Raises KeyError or ValueError when they do not belong together.
        """
        dimensions = arrays["projection"]["block2"].shape[-1]
        self._projection = {
            name: _numbers(f"projection.{name}", arrays["projection"][name], (channels, dimensions))
            for name, (_, _, channels) in BLOCK_SHAPES.items()
        }
        self._banks: dict[str, Banks] = {}
        self._offset: dict[str, Float32] = {}  # (band,) distance at surprise 0
        self._gain: dict[str, Float32] = {}  # (band,) surprise per distance
        self.bands = len(arrays["cnn14_patch"]["offset"])
        for head in HEADS:
            fitted = arrays[head]
            bands = 1 if head == "level" else self.bands
            self._offset[head] = _numbers(f"{head}.offset", fitted["offset"], (bands,))
            self._gain[head] = _numbers(f"{head}.gain", fitted["gain"], (bands,))
            count = sum(name.startswith("bank_") for name in fitted)
            if count not in (1, bands):
                raise ValueError(f"{head} has {count} banks for {bands} bands")
            width = 1 if head == "level" else dimensions if head.startswith("cnn14") else LOGMEL_DIMENSIONS
            banks = [_numbers(f"{head}.bank_{band}", fitted[f"bank_{band}"], (None, width)) for band in range(count)]
            self._banks[head] = Banks(banks)

    def stream(self) -> PatchCoreStream:
        """Start a segment."""
        return PatchCoreStream(self)

    def embedder(self) -> Embedder:
        """A new embedder with this detector's projection."""
        return Embedder(self._projection, self.bands)

    def surprise(self, compared: HeadInput) -> Surprise:
        """How surprising each row is: distance to the nearest normal one in its own band, on the head's calibrated scale."""
        distances = self._banks[compared.head].distances(compared.values)  # (time, band)
        values = (distances - self._offset[compared.head]) * self._gain[compared.head]
        return Surprise(compared.head, compared.first_cell, compared.span_cells, values)


class PatchCoreStream:
    """PatchCore's state for one segment."""

    def __init__(self, detector: PatchCore) -> None:
        self._detector = detector
        self._embedder = detector.embedder()
        self._inputs = HeadInputs()

    def push(self, block: FeatureBlock, cells: int) -> list[Surprise]:
        """Judge one block; see `DetectorStream.push`."""
        embeddings = self._embedder.push(block)
        return [self._detector.surprise(compared) for compared in self._inputs.push(embeddings, cells)]


def _numbers(name: str, array: NDArray[np.generic], shape: tuple[int | None, ...]) -> Float32:
    """Return `array` as float32; ValueError unless it holds finite numbers and has that shape, in which None is any length but 0."""
    if array.ndim != len(shape) or any(n == 0 or wanted not in (None, n) for n, wanted in zip(array.shape, shape, strict=True)):
        raise ValueError(f"{name} has the shape {array.shape}")
    numbers = array.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds values that are not finite numbers")
    return numbers
