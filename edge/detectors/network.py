"""A detector's own network, which is part of its bundle: one ONNX Runtime session, shared by all streams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.bundles.bundle import AGAIN
from edge.detectors.detector import Parts
from edge.errors import BackboneError, BundleError
from edge.features.runtime import open_session

Float32 = NDArray[np.float32]


class Network:
    """A function of one array of a fixed shape: nothing in its result depends on what was pushed before, or in which pieces."""

    def __init__(self, parts: Parts, member: str, takes: tuple[int, ...], gives: tuple[int, ...]) -> None:
        """`member` of the bundle takes and gives one array of these shapes; KeyError when it lacks, BundleError when it does not."""
        try:
            self._session = open_session(parts.blobs[member], parts.subject, parts.providers, parts.threads)
        except BackboneError as error:
            raise BundleError(parts.subject, f"its network {member} {error.problem.partition(';')[0]}; {AGAIN}") from error
        values = [*self._session.get_inputs(), *self._session.get_outputs()]
        if [tuple(value.shape) for value in values] != [takes, gives] or any(value.type != "tensor(float)" for value in values):
            raise BundleError(parts.subject, f"its network {member} does not take {takes} and give {gives}; {AGAIN}")
        self._input = values[0].name
        try:
            self(np.zeros(takes, np.float32))
        except Exception as error:  # ONNX Runtime has no common base class for what it raises
            raise BundleError(parts.subject, f"its network {member} cannot compute; {AGAIN}") from error

    def __call__(self, array: Float32) -> Float32:
        """What it makes of an array."""
        (result,) = self._session.run(None, {self._input: array})
        made: Float32 = result
        return made
