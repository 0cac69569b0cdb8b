"""Operators that are grafted onto a network: those that once took gigabytes, and any of ONNX's, made from its schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.defs import OpSchema

from tests.fuzz.mutations import Rng, pick

LARGE = 20_000  # its square as float32 is 1.6 GB
OUTPUT = "block4"  # (2, 4, 512)
SIZES = (0, 1, 2, 3, 7, 64, 1000, LARGE, 10**6, 10**9, 2**31, 2**62, -1, -(10**9))
TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(bool)": np.bool_,
}  # fmt: skip


def grafted(backbone: bytes, name: str) -> bytes:
    """A backbone with one of GRAFTS, whose sum is added to its last output."""
    model = onnx.load_from_string(backbone)
    make, axes = GRAFTS[name]
    total = _node(model, "ReduceSum", [make(model), _constant(model, "axes", np.arange(axes))], keepdims=0)
    last = next(node for node in model.graph.node if OUTPUT in node.output)
    last.output[0] = f"{OUTPUT}_before"
    model.graph.node.append(helper.make_node("Add", [f"{OUTPUT}_before", total], [OUTPUT]))
    return bytes(model.SerializeToString())


def max_unpool(model: onnx.ModelProto) -> str:
    picture = _constant(model, "picture", np.ones((1, 1, 2, 2), np.float32))
    places = _constant(model, "places", np.arange(4, dtype=np.int64).reshape(1, 1, 2, 2))
    return _node(model, "MaxUnpool", [picture, places, _sizes(model, 1, 1, LARGE, LARGE)], kernel_shape=[2, 2])


def mel_weight_matrix(model: onnx.ModelProto) -> str:
    numbers = [_constant(model, f"n{place}", np.array(n, np.int64)) for place, n in enumerate((LARGE, 2 * LARGE, 16000))]
    edges = [_constant(model, f"hz{place}", np.array(hz, np.float32)) for place, hz in enumerate((0.0, 8000.0))]
    return _node(model, "MelWeightMatrix", [*numbers, *edges])


def broadcasting_add(model: onnx.ModelProto) -> str:
    row, column = np.ones((1, LARGE), np.float32), np.ones((LARGE, 1), np.float32)
    return _node(model, "Add", [_constant(model, "row", row), _constant(model, "column", column)])


def pad(model: onnx.ModelProto) -> str:
    return _node(model, "Pad", ["log_mel", _sizes(model, 0, 0, LARGE, LARGE, 0, 0, 0, 0)])


def resize(model: onnx.ModelProto) -> str:
    scales = _constant(model, "scales", np.array([1, 1, 500, 500], np.float32))
    return _node(model, "Resize", ["log_mel", "", scales], mode="nearest")


def hann_window(model: onnx.ModelProto) -> str:
    return _node(model, "HannWindow", [_constant(model, "size", np.array(LARGE * LARGE, np.int64))])


def gather(model: onnx.ModelProto) -> str:
    return _node(model, "Gather", ["block4_turned", _constant(model, "places", np.zeros(100_000, np.int64))], axis=0)


# What is grafted, and how many axes its result has.
GRAFTS: dict[str, tuple[Callable[[onnx.ModelProto], str], int]] = {
    "MaxUnpool": (max_unpool, 4), "MelWeightMatrix": (mel_weight_matrix, 2), "Add": (broadcasting_add, 2), "Pad": (pad, 4),
    "Resize": (resize, 4), "HannWindow": (hann_window, 1), "Gather": (gather, 4),
}  # fmt: skip


def schemas() -> list[OpSchema]:
    """Of all operators, in order of their names."""
    return sorted(onnx.defs.get_all_schemas(), key=lambda schema: (schema.domain, schema.name))


def graft(rng: Rng, model: onnx.ModelProto, schema: OpSchema) -> None:
    """Add an operator of that schema to a network, whose inputs and attributes are drawn, hostile ones among them.

    Its result, of whatever shape, is given out as well.
    """
    if schema.domain:
        model.opset_import.append(helper.make_opsetid(schema.domain, schema.since_version))
    count = int(rng.integers(schema.min_input, min(schema.max_input, schema.min_input + 3) + 1))
    inputs = [_input(rng, model, schema, place) for place in range(count)]
    attributes = {
        name: value
        for name, attribute in sorted(schema.attributes.items())
        if (attribute.required or rng.random() < 0.4) and (value := _attribute(rng, attribute)) is not None
    }
    made = _node(model, schema.name, inputs, domain=schema.domain, **attributes)
    axes = int(rng.integers(0, 6))
    model.graph.output.append(helper.make_tensor_value_info(made, TensorProto.FLOAT, [f"axis{axis}" for axis in range(axes)]))


def _input(rng: Rng, model: onnx.ModelProto, schema: OpSchema, place: int) -> str:
    """What the network is given or computes, or a constant of numbers that may be taken for sizes."""
    allowed = schema.inputs[min(place, len(schema.inputs) - 1)].types
    kinds = sorted(kind for kind in allowed if kind in TYPES)
    if "tensor(float)" in kinds and rng.random() < 0.6:
        return str(pick(rng, [model.graph.input[0].name, *(name for node in model.graph.node for name in node.output)]))
    dtype = TYPES[pick(rng, kinds)] if kinds else np.float32
    shape = pick(rng, ((), (1,), (2,), (4,), (8,), (1, 64), (64, 1), (1, LARGE), (LARGE, 1), (64, 64, 3, 3), (16, 1, 2, 2)))
    with np.errstate(all="ignore"):
        numbers: NDArray[np.generic] = np.array([pick(rng, SIZES) for _ in range(8)], np.float64).astype(dtype)
    return _constant(model, f"graft_{place}", np.resize(numbers, shape))


def _attribute(rng: Rng, attribute: OpSchema.Attribute) -> object:
    """A value of its type, or None for those that hold graphs."""
    numbers = [int(pick(rng, SIZES)) for _ in range(int(rng.integers(1, 5)))]
    made: dict[str, object] = {
        "INT": numbers[0] if rng.random() < 0.5 else int(rng.integers(-1, 4)),
        "INTS": numbers if rng.random() < 0.5 else [int(rng.integers(0, 4)) for _ in numbers],
        "FLOAT": float(numbers[0]),
        "FLOATS": [float(number) for number in numbers],
        "STRING": pick(rng, ("linear", "nearest", "SAME_UPPER", "constant", "floor")),
        "STRINGS": ["a", "b"],
        "TENSOR": numpy_helper.from_array(np.array(numbers, np.int64)),
    }
    return made.get(str(attribute.type).rpartition(".")[2])


def _constant(model: onnx.ModelProto, name: str, numbers: NDArray[np.generic]) -> str:
    model.graph.initializer.append(numpy_helper.from_array(numbers, name))
    return name


def _sizes(model: onnx.ModelProto, *sizes: int) -> str:
    return _constant(model, "sizes", np.array(sizes, np.int64))


def _node(model: onnx.ModelProto, operator: str, inputs: Sequence[str], domain: str = "", **attributes: object) -> str:
    name = f"grafted{len(model.graph.node)}"
    model.graph.node.append(helper.make_node(operator, inputs, [name], domain=domain, **attributes))  # type: ignore[arg-type]
    return name
