"""For each operator that a network may have, the largest network of it that passes the check: the highest cost that anyone can cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.features.onnx_graph import MOST_OPERATORS, check_graph

Array = NDArray[np.generic]
Shape = Sequence[int]


@dataclass(frozen=True, slots=True)
class Case:
    """An operator, and what it takes and gives when it is to be of a size."""

    takes: Callable[[int], Shape]
    gives: Callable[[int], Shape]
    constants: Callable[[int], Sequence[Array | None]] = lambda n: ()  # after the input; None is left out
    attributes: Mapping[str, object] | None = None
    type: int = TensorProto.FLOAT  # of what it takes
    made: int = TensorProto.FLOAT


def line(n: int) -> Shape:
    return (n,)


def square(n: int) -> Shape:
    return (n, n)


def picture(n: int) -> Shape:
    return (1, 16, n, n)


def floats(*shape: int) -> Array:
    return np.ones(shape, np.float32)


def whole(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


KERNEL = {"kernel_shape": [4, 4], "strides": [1, 1], "pads": [3, 3, 3, 3]}
CASES = {
    **{name: Case(line, line) for name in ("Identity", "Abs", "Relu", "Sigmoid")},
    **{name: Case(lambda n: (n, 1), square, lambda n: [floats(1, n)]) for name in ("Add", "Sub", "Mul", "Div")},
    "BatchNormalization": Case(picture, picture, lambda n: [floats(16)] * 4),
    "MatMul": Case(square, square, lambda n: [floats(n, n)]),
    "MatMul of a column": Case(lambda n: (n, 1), square, lambda n: [floats(1, n)]),
    "Gemm": Case(square, square, lambda n: [floats(n, n), floats(n)], {"transB": 1}),
    "Conv": Case(picture, lambda n: (1, 16, n + 3, n + 3), lambda n: [floats(16, 16, 4, 4)], KERNEL),
    "Conv of one channel": Case(lambda n: (1, 1, n, n), lambda n: (1, 1, n + 3, n + 3), lambda n: [floats(1, 1, 4, 4)], KERNEL),
    "Conv of many channels": Case(lambda n: (1, n, 8, 8), lambda n: (1, n, 8, 8), lambda n: [floats(n, n, 1, 1)], {"kernel_shape": [1, 1]}),
    "Conv of each channel": Case(
        lambda n: (1, n, 64, 64), lambda n: (1, n, 67, 67), lambda n: [floats(n, 1, 4, 4)], {**KERNEL, "group": lambda n: n}
    ),
    "ConvTranspose": Case(
        lambda n: (1, 16, n, n), lambda n: (1, 16, 4 * n, 4 * n), lambda n: [floats(16, 16, 4, 4), floats(16)],
        {"kernel_shape": [4, 4], "strides": [4, 4]},
    ),
    "AveragePool": Case(picture, lambda n: (1, 16, n + 3, n + 3), attributes=KERNEL),
    "MaxPool": Case(picture, lambda n: (1, 16, n + 3, n + 3), attributes=KERNEL),
    "Resize": Case(
        lambda n: (1, 1, n, n), lambda n: (1, 1, 4 * n, 4 * n), lambda n: [None, np.array([1, 1, 4, 4], np.float32)],
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    ),
    "Slice": Case(square, square, lambda n: [whole(0), whole(n), whole(1)]),
    "Squeeze": Case(lambda n: (1, n), line, lambda n: [whole(0)]),
    "Unsqueeze": Case(line, lambda n: (1, n), lambda n: [whole(0)]),
    "Transpose": Case(lambda n: (n, 8, n, 8), lambda n: (8, n, 8, n), attributes={"perm": [3, 2, 1, 0]}),
    "Gather": Case(square, lambda n: (4 * n, n), lambda n: [np.zeros(4 * n, np.int64)], {"axis": 0}),
    "ArgMin": Case(square, line, attributes={"axis": 0, "keepdims": 0}, made=TensorProto.INT64),
    "ReduceSum": Case(square, line, lambda n: [whole(0)], {"keepdims": 0}),
    "QuantizeLinear": Case(line, line, lambda n: [np.array(1, np.float32), np.array(0, np.uint8)], made=TensorProto.UINT8),
    "DequantizeLinear": Case(line, line, lambda n: [np.array(1, np.float32), np.array(0, np.uint8)], type=TensorProto.UINT8),
}  # fmt: skip
FORMS = ("once", "often", "in a row")


def network(case: Case, operator: str, form: str, n: int) -> bytes:
    """One operator of size `n`; many side by side; or, of those that give what they take, as many as there may be in a row."""
    takes, gives = case.takes(n), case.gives(n)
    in_a_row = form == "in a row" and tuple(takes) == tuple(gives) and case.type == case.made
    count = 1 if form == "once" else MOST_OPERATORS if in_a_row else 16
    constants = case.constants(n)
    names = ["" if array is None else f"c{place}" for place, array in enumerate(constants)]
    attributes = {name: value(n) if callable(value) else value for name, value in (case.attributes or {}).items()}
    nodes, outputs = [], []
    for index in range(count):
        taken = f"y{index - 1}" if in_a_row and index else "x"
        nodes.append(helper.make_node(operator.partition(" ")[0], [taken, *names], [f"y{index}"], **attributes))  # type: ignore[arg-type]
        if not in_a_row or index == count - 1:
            outputs.append(helper.make_tensor_value_info(f"y{index}", case.made, gives))
    initializers = [numpy_helper.from_array(array, name) for name, array in zip(names, constants, strict=True) if array is not None]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", case.type, takes)], outputs, initializers)
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def largest(case: Case, operator: str, form: str) -> bytes:
    """The largest network of that kind that is accepted, but for a fiftieth; it grows until it is refused, so constants stay small."""
    fits, step = 1, 1.5
    while step > 1.02:
        while _accepted(network(case, operator, form, max(fits + 1, int(fits * step)))):
            fits = max(fits + 1, int(fits * step))
        step = step**0.5
    return network(case, operator, form, fits)


def _accepted(model: bytes) -> bool:
    try:
        check_graph(model)
    except ValueError:
        return False
    return True
