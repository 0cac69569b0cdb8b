"""Arrays as deterministic `.npz` bytes, and back without trusting them.

numpy's own `np.savez` stamps the time of writing, and `np.load` allocates whatever size a header claims before it looks for the data.
"""

from __future__ import annotations

import io
import struct
import tokenize
from collections.abc import Mapping

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from edge.bundles.stored_zip import read_members, write_members

Arrays = dict[str, NDArray[np.generic]]

_KINDS = "biufU"  # plain numbers, booleans and text: nothing that holds a Python object


def encode_npz(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Encode named arrays; the same content gives the same bytes, whatever its memory layout.

    Raises
    ------
    ValueError
        An array of Python objects or of a structured type.
    """
    members = {}
    for name, array in arrays.items():
        plain = np.asarray(array, order="C")
        if plain.dtype.kind not in _KINDS or plain.dtype.itemsize == 0:
            raise ValueError(f"the array {name} has the type {plain.dtype}; only numbers, booleans and text can be stored")
        content = io.BytesIO()
        npy.write_array(content, plain.astype(plain.dtype.newbyteorder("<"), copy=False), version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = content.getvalue()
    archive = io.BytesIO()
    write_members(archive, members)
    return archive.getvalue()


def decode_npz(content: bytes) -> Arrays:
    """Decode named arrays, read-only and without copying them again.

    Raises
    ------
    ValueError
        Not an npz of plain arrays, or one whose sizes do not agree; the text completes `... : `.
    """
    arrays: Arrays = {}
    for name, member in read_members(io.BytesIO(content), len(content)):
        if not name.endswith(".npy"):
            raise ValueError(f"holds {name}, which is not an array")
        arrays[name.removesuffix(".npy")] = _decode_npy(member)
    return arrays


def _decode_npy(content: bytes) -> NDArray[np.generic]:
    """One array over the bytes of its `.npy` file (NumPy format versions 1.0 to 3.0)."""
    stream = io.BytesIO(content)
    try:
        version = npy.read_magic(stream)
        if version == (1, 0):
            shape, fortran_order, dtype = npy.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran_order, dtype = npy.read_array_header_2_0(stream)
        else:
            raise ValueError(f"an unknown array format {version}")
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, tokenize.TokenError, struct.error) as error:
        raise ValueError("holds an array with a damaged header") from error
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise ValueError(f"holds an array of type {dtype}, which is never loaded (it could run code)")
    count = 1
    for length in shape:  # Python integers: a claimed shape cannot overflow
        count *= length
    start = stream.tell()
    if any(not 0 <= length < 1 << 31 for length in shape) or len(shape) > 16 or len(content) - start != count * dtype.itemsize:
        raise ValueError("holds an array whose size does not match its data")
    array: NDArray[np.generic] = np.ndarray(shape, dtype, buffer=content, offset=start, order="F" if fortran_order else "C")
    return array
