"""STFPM for endless sound (Wang et al. 2021; "From Vision to Sound", section 2.2): a student network that imitates the backbone.

It learned to, on normal sound only (calibrate/fitters/stfpm.py); of other sound the two say different things. Both see sound whose level
was normalised, so the level itself is a feature too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.bundles.bundle import AGAIN
from edge.bundles.npz import Arrays
from edge.detectors.comparison import Comparison
from edge.detectors.detector import LEVEL, Deviation, Parts, real_cells
from edge.detectors.pyramid import LAG_CELLS, PyramidStream
from edge.detectors.standard import Standard
from edge.errors import BackboneError, BundleError
from edge.features.backbone import Backbone
from edge.features.card import decode_card
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS

Float32 = NDArray[np.float32]

STFPM = "stfpm"
FEATURES = (STFPM, LEVEL)
STUDENT_MEMBER, CARD_MEMBER = "student.onnx", "student.json"


class Stfpm:
    """A fitted STFPM: a student, and what normal sound makes of its distance from the teacher."""

    lag_blocks = 1  # interpolation needs the cell that follows

    def __init__(self, student: Backbone, arrays: Mapping[str, Arrays], bands: int) -> None:
        """`arrays` are a bundle's: `stfpm` is what a `Standard` needs, and `level` a `Comparison`.

        Raises KeyError or ValueError when they are not.
        """
        self.bands = bands
        self.features: Mapping[str, int] = {STFPM: bands, LEVEL: 1}
        self._student = student
        self._standard = Standard(STFPM, arrays[STFPM], bands)
        self._level = Comparison(LEVEL, arrays[LEVEL], 1, 1)

    @classmethod
    def load(cls, parts: Parts) -> Stfpm:
        """Make one of a bundle's parts; see `Detector.load`."""
        if not parts.has_network:
            raise BundleError(parts.subject, f"has a student and no backbone with a network for it to imitate; {AGAIN}")
        model, card = parts.blobs[STUDENT_MEMBER], parts.blobs[CARD_MEMBER]
        try:
            student = Backbone(model, decode_card(card, CARD_MEMBER), STUDENT_MEMBER, parts.providers, parts.threads)
        except (BackboneError, BundleError) as error:
            raise BundleError(parts.subject, f"its {error.subject} {error.problem.partition(';')[0]}; {AGAIN}") from error
        if student.front_end != parts.front_end:
            raise BundleError(parts.subject, f"its student takes the front end {student.front_end.name}, its backbone does not; {AGAIN}")
        return cls(student, parts.arrays, parts.bands)

    def stream(self) -> StfpmStream:
        """Start a segment."""
        return StfpmStream(self)

    def pyramid(self) -> PyramidStream:
        """The student's state for a new segment."""
        return PyramidStream(self._student)

    def deviations(self, first_cell: int, distances: Float32, levels_db: Float32) -> list[Deviation]:
        """How far distances, shape = (time, band), and levels, shape = (time,), are from normal ones."""
        return [self._standard.deviation(first_cell, distances), self._level.deviation(first_cell, levels_db[:, None, None])]


class StfpmStream:
    """STFPM's state for one segment."""

    def __init__(self, detector: Stfpm) -> None:
        self._detector = detector
        self._pyramid = detector.pyramid()
        self._levels_db = np.zeros(LAG_CELLS + BLOCK_CELLS, np.float32)  # (cell,)

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; see `DetectorStream.push`."""
        distances = self._pyramid.push(block)[:, : self._detector.bands]
        self._levels_db[:LAG_CELLS] = self._levels_db[BLOCK_CELLS:]
        self._levels_db[LAG_CELLS:] = block.level_db
        first_cell = block.first_cell - LAG_CELLS
        real = real_cells(first_cell, cells)
        if real.stop <= real.start:
            return []
        return self._detector.deviations(first_cell + real.start, distances[real], self._levels_db[:BLOCK_CELLS][real])
