"""Arrays in a record of a store: their shape and their bytes, little-endian, checked when they are read."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """One array of a type that the field knows."""

    shape: tuple[int, ...]
    data: bytes


def pack(array: NDArray[np.generic], kind: str) -> Packed:
    """Keep an array as numbers of a type such as `<f2`; what is beyond its range becomes its largest number."""
    limits = np.finfo(np.dtype(kind))
    clipped = np.clip(array, limits.min, limits.max).astype(kind)
    return Packed(clipped.shape, clipped.tobytes())


def unpack(packed: Packed, kind: str) -> NDArray[np.generic]:
    """The array, read-only; ValueError when its size does not match its data."""
    if any(length < 0 for length in packed.shape) or math.prod(packed.shape) * np.dtype(kind).itemsize != len(packed.data):
        raise ValueError("an array whose size does not match its data")
    return np.frombuffer(packed.data, kind).reshape(packed.shape)
