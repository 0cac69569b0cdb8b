"""Where a student network disagrees with its teacher: the anomaly map of STFPM, streamed.

Wang et al., "Student-Teacher Feature Pyramid Matching for Anomaly Detection" (BMVC 2021): of each layer half the squared distance between
the channels of teacher and student, both of unit length (equation 1); brought to one grid by bilinear interpolation, and multiplied
(equation 4). Of the product the cube root is taken: cells keep their order, and the map is in units of a layer's distance, of which a
deviation can be told from rounding errors (a product of three such distances is about 1e-4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.features.backbone import BLOCK_SHAPES, Backbone, Features
from edge.features.feature_stream import CONTEXT_FRAMES, FeatureBlock
from edge.features.frontend import BLOCK_CELLS

Float32 = NDArray[np.float32]

LAG_CELLS = 2  # half a cell of block 4: interpolation needs the cell that follows
SHORTEST = 1e-12  # channels that are all zero have no direction; they are at a distance of a half from any other


class PyramidStream:
    """A student beside its teacher, for one segment."""

    def __init__(self, student: Backbone) -> None:
        self._student = student.stream()
        self._is_new = True
        # Per layer (time, mel): the distances of the block before and of this one, and how they are interpolated in time and mel.
        self._distances = {name: np.zeros((2 * time, mel), np.float32) for name, (time, mel, _) in BLOCK_SHAPES.items()}
        rows = slice(BLOCK_CELLS - LAG_CELLS, 2 * BLOCK_CELLS - LAG_CELLS)
        finest, mels, _ = BLOCK_SHAPES["block2"]
        self._in_time = {name: bilinear(2 * finest, finest // time)[rows] for name, (time, _, _) in BLOCK_SHAPES.items()}
        self._in_mel = {name: bilinear(mels, mels // mel).T.copy() for name, (_, mel, _) in BLOCK_SHAPES.items()}

    def push(self, block: FeatureBlock) -> Float32:
        """Hear one block; the map of the cells `block.first_cell - 2 ... block.first_cell + 5`, shape = (8, 16) float32.

        The student is pushed the very frames that the teacher was pushed: those ahead of the block's own.
        """
        if self._is_new:
            self._student.push(block.log_mel[CONTEXT_FRAMES:-CONTEXT_FRAMES])
            self._is_new = False
        student = self._student.push(block.ahead)
        product = np.ones((BLOCK_CELLS, BLOCK_SHAPES["block2"][1]), np.float32)
        for name, distances in layer_distances(block.features, student).items():
            both = self._distances[name]
            both[: len(distances)] = both[len(distances) :]
            both[len(distances) :] = distances
            product *= self._in_time[name] @ both @ self._in_mel[name]
        return np.cbrt(product)


def layer_distances(teacher: Features, student: Features) -> dict[str, Float32]:
    """Half the squared distance between channels of unit length, per layer, each (time, mel) float32; at most 1: no channel is negative."""
    return {name: half_squared_distance(getattr(teacher, name), getattr(student, name)) for name in BLOCK_SHAPES}


def half_squared_distance(one: Float32, other: Float32) -> Float32:
    """Of vectors (time, mel, channel), each brought to unit length, shape = (time, mel) float32."""
    apart = _unit(one) - _unit(other)
    distance: Float32 = np.float32(0.5) * np.einsum("tmc,tmc->tm", apart, apart)
    return distance


def _unit(vectors: Float32) -> Float32:
    lengths = np.sqrt(np.einsum("tmc,tmc->tm", vectors, vectors))
    unit: Float32 = vectors / np.maximum(lengths, np.float32(SHORTEST))[..., None]
    return unit


def bilinear(length: int, factor: int) -> Float32:
    """The matrix (length, length / factor) that interpolates along one axis; the outermost cells go on beyond the ends.

    Cells have widths, and a coarse one is centred over the fine ones that it covers (`align_corners=False` in other libraries).
    """
    coarse = length // factor
    places = np.clip((np.arange(length) + 0.5) / factor - 0.5, 0.0, coarse - 1.0)
    below = np.minimum(places.astype(int), max(0, coarse - 2))
    weights = np.zeros((length, coarse), np.float32)
    weights[np.arange(length), below] = 1.0 - (places - below)
    if coarse > 1:
        weights[np.arange(length), below + 1] = places - below
    return weights
