"""Resample a stream from any rate to the front end's rate."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Resampler:
    """Streams audio from one sample rate to another through libsoxr; the result does not depend on the sizes of the pushes."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")

    def push(self, samples: Float32) -> Float32:
        """Resample what can be resampled so far, shape = (n,) float32 in and (m,) float32 out."""
        return samples if self._stream is None else self._stream.resample_chunk(samples)

    def finish(self) -> Float32:
        """The tail that the filter still held, shape = (m,) float32."""
        empty = np.zeros(0, np.float32)
        return empty if self._stream is None else self._stream.resample_chunk(empty, last=True)
