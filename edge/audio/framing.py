"""Overlapping frames of a signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def framed(samples: Float32, length: int, hop: int) -> Float32:
    """The frames of `length` samples that begin at every `hop`, shape = (frame, length), of contiguous samples, (n,) with n >= `length`.

    They are a view. (What numpy has for windows takes longer to make one than a spectrum takes.)
    """
    shape = ((len(samples) - length) // hop + 1, length)
    return np.ndarray(shape, samples.dtype, buffer=samples, strides=(hop * samples.itemsize, samples.itemsize))
