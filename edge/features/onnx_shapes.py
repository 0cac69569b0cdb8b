"""What the rules of operators (edge/features/onnx_operators.py) use: tensors, their cost, and how shapes combine.

Whatever does not fit raises an error of Python's: the rules turn it into a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

from edge.features.onnx_file import Attribute, Kind, Tensor

LONGEST_KERNEL = 4  # and stride, and factor of a Resize: AudDSR's
CHANNELS_AT_ONCE = 16  # ONNX Runtime stores and computes channels in lots of up to so many
PRODUCTS_PER_MOVE = 32  # multiplications of a matrix product in the time in which a number is looked up and put somewhere else

Shape: TypeAlias = tuple[int, ...]
Attributes: TypeAlias = Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that a network is given, holds or computes."""

    kind: Kind
    shape: Shape
    constant: Tensor | None = None

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What it takes in memory at most: of a picture, (batch, channel, time, mel), whole lots of channels."""
        shape = (self.shape[0], in_lots(self.shape[1]), *self.shape[2:]) if len(self.shape) == 4 else self.shape
        return math.prod(shape) * self.kind.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Result:
    """What an operator makes, and what that costs."""

    value: Value
    products: int  # multiplications, or as much work
    kept_bytes: int = 0  # beside its constants: what ONNX Runtime makes of them for good
    working_bytes: int = 0  # only while it computes


def in_lots(channels: int) -> int:
    """Channels, as many as are stored."""
    return -(-channels // CHANNELS_AT_ONCE) * CHANNELS_AT_ONCE


def made(value: Value, looked_at: int = 0) -> Result:
    """Each number is put somewhere, and so many more are looked at."""
    return Result(value, PRODUCTS_PER_MOVE * (value.size + looked_at))


def floats(inputs: Sequence[Value], shape: Shape, looked_at: int = 0) -> Result:
    """Floats of floats."""
    require(all(value.kind is Kind.FLOAT for value in inputs))
    return made(Value(Kind.FLOAT, shape), looked_at)


def matrix_product(inputs: Sequence[Value], shape: Shape, inner: int) -> Result:
    """A product keeps what stands right in another order, in lots of columns (or rows, where it is turned)."""
    result = floats(inputs, shape)
    *stack, rows, columns = inputs[1].shape
    kept = math.prod(stack) * max(rows * in_lots(columns), in_lots(rows) * columns)
    return Result(result.value, result.products + result.value.size * inner, kept_bytes=kept * Kind.FLOAT.dtype.itemsize)


def with_weight(result: Result, weight: Value, products_each: int, working: int) -> Result:
    """A convolution keeps its weight in another order, in lots of either channels."""
    kept = in_lots(weight.shape[0]) * in_lots(weight.shape[1]) * math.prod(weight.shape[2:])
    size = Kind.FLOAT.dtype.itemsize
    products = result.products + result.value.bytes // size * products_each
    return Result(result.value, products, kept_bytes=kept * size, working_bytes=working * size)


def swept(places: Sequence[int], attributes: Attributes) -> Shape:
    """Where a kernel fits along each axis."""
    steps = windows(places, attributes)
    return tuple((length + pads - long) // stride + 1 for length, (long, stride, pads) in zip(places, steps, strict=True))


def windows(places: Sequence[int], attributes: Attributes) -> list[tuple[int, int, int]]:
    """The length of a kernel, its stride and the zeros around, along time and mel."""
    kernel = integers(attributes["kernel_shape"])
    strides, pads = integers(attributes.get("strides", (1, 1))), integers(attributes.get("pads", (0, 0, 0, 0)))
    require(len(places) == len(kernel) == len(strides) == 2 and len(pads) == 4)
    require(all(1 <= length <= LONGEST_KERNEL for length in (*kernel, *strides)))
    require(all(0 <= pad < kernel[side % 2] for side, pad in enumerate(pads)))
    return [(kernel[axis], strides[axis], pads[axis] + pads[axis + 2]) for axis in range(2)]


def broadcast(left: Shape, right: Shape) -> Shape:
    """What two shapes become together."""
    pairs = list(zip_longest(reversed(left), reversed(right), fillvalue=1))
    require(all(a == b or 1 in (a, b) for a, b in pairs))
    return tuple(max(pair) for pair in reversed(pairs))


def axis_of(axis: int, value: Value) -> int:
    """An axis that may be counted from the end."""
    require(-len(value.shape) <= axis < len(value.shape))
    return axis % len(value.shape)


def listed(value: Value) -> list[int]:
    """The numbers of a constant list."""
    if value.constant is None or value.kind is not Kind.INT64 or len(value.shape) != 1:
        raise ValueError("no constant list")
    return [int(number) for number in value.constant.numbers()]


def integer(attribute: Attribute) -> int:
    """An attribute that must be a whole number."""
    if not isinstance(attribute, int):
        raise TypeError("no whole number")
    return attribute


def integers(attribute: Attribute) -> tuple[int, ...]:
    """An attribute that must be a list of whole numbers."""
    if not isinstance(attribute, tuple):
        raise TypeError("no list of whole numbers")
    return attribute


def require(condition: bool) -> None:
    """Raise ValueError unless so it is."""
    if not condition:
        raise ValueError("does not fit")
