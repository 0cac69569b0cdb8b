"""STFPM for endless sound (Wang et al. 2021; "From Vision to Sound", section 2.2): a student network that imitates the backbone.

It learned to, on normal sound only (calibrate/fitters/stfpm.py); of other sound the two say different things.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.bundles.bundle import AGAIN
from edge.bundles.npz import Arrays
from edge.detectors.detector import DetectorStream, Deviation, Parts, real_cells
from edge.detectors.loudness import Loudness, LoudnessStream
from edge.detectors.pyramid import LAG_CELLS, PyramidStream
from edge.detectors.standard import Standard
from edge.errors import BackboneError, BundleError
from edge.features.backbone import Backbone
from edge.features.card import decode_card
from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]

STFPM = "stfpm"
STUDENT_MEMBER, CARD_MEMBER = "student.onnx", "student.json"


class Stfpm:
    """A fitted STFPM: a student, and the scale of its distance from the teacher in normal sound."""

    lag_blocks = 1  # interpolation needs the cell that follows

    def __init__(self, student: Backbone, arrays: Mapping[str, Arrays], bands: int) -> None:
        """`arrays` are a bundle's: `stfpm` is what a `Standard` needs; beside it is what a `Loudness` takes.

        Raises KeyError or ValueError when they are not.
        """
        self.bands = bands
        self._student = student
        self._standard = Standard(STFPM, arrays[STFPM], bands)
        self._loudness = Loudness(arrays, bands)
        self.features: Mapping[str, int] = {STFPM: bands, **self._loudness.features}

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

    def loudness(self) -> LoudnessStream:
        """The loudness of a new segment, of the cells that the map is about."""
        return self._loudness.stream(LAG_CELLS)

    def deviation(self, first_cell: int, distances: Float32) -> Deviation:
        """How far distances, shape = (time, band), are from normal ones."""
        return self._standard.deviation(first_cell, distances)


class StfpmStream(DetectorStream):
    """STFPM's state for one segment."""

    def __init__(self, detector: Stfpm) -> None:
        self._detector = detector
        self._pyramid = detector.pyramid()
        self._loudness = detector.loudness()

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; see `DetectorStream.push`."""
        distances = self._pyramid.push(block)[:, : self._detector.bands]
        self._loudness.push(block)
        real = real_cells(block.first_cell - LAG_CELLS, cells)
        if real.stop <= real.start:
            return []
        first_cell = block.first_cell - LAG_CELLS + real.start
        own = self._detector.deviation(first_cell, distances[real])
        return [own, *self._loudness.deviations(first_cell, len(own.values))]
