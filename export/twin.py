"""The fp32 graph of an int8 one: the same trunk in both precisions, for comparing their cost, without a checkpoint and without torch."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from edge.errors import BackboneError
from export.graph import build_graph
from export.trunk import BLOCK_CHANNELS, CONVS_PER_BLOCK, Float32Array, FoldedConv, FoldedTrunk


def fp32_twin(int8: bytes, subject: object = "backbone") -> bytes:
    """The fp32 streaming graph with exactly the weights of `int8`, an ONNX file's content that `auscult export` wrote.

    Raises
    ------
    BackboneError : not an int8 graph of ours
    """
    model = onnx.load_from_string(int8)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    about = {entry.key: entry.value for entry in model.metadata_props}
    try:
        trunk = _trunk(constants)
    except KeyError as error:
        raise BackboneError(subject, f"has no {error.args[0]}; it is not an int8 backbone that `auscult export` wrote") from error
    name, front_end = about.get("auscult.name", "backbone"), about.get("auscult.front_end", "")
    return bytes(build_graph(trunk, "fp32", name=f"{name}-fp32", front_end=front_end).SerializeToString(deterministic=True))


def _trunk(constants: dict[str, np.ndarray]) -> FoldedTrunk:
    names = [f"block{block}_conv{index + 1}" for block in range(1, len(BLOCK_CHANNELS) + 1) for index in range(CONVS_PER_BLOCK)]
    convs = [FoldedConv(name, _floating(constants, f"{name}_weight"), _floating(constants, f"{name}_bias")) for name in names]
    return FoldedTrunk(constants["bn0_scale"].reshape(-1), constants["bn0_offset"].reshape(-1), tuple(convs))


def _floating(constants: dict[str, np.ndarray], name: str) -> Float32Array:
    if name in constants:  # the first convolution is float32 in either precision
        return constants[name]
    steps, scale = constants[f"{name}_steps"], constants[f"{name}_scale"]
    values: Float32Array = (steps * scale.reshape(-1, *(1,) * (steps.ndim - 1))).astype(np.float32)
    return values
