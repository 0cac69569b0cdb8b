"""What each operator that our exporters write makes of the shapes that it is given (ONNX operators, version 17).

One rule for each, and only as far as our exporters use it: an operator, an attribute, a type or a form without a rule is refused. Sizes of
results follow from shapes and constants alone, never from numbers that are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

from edge.features.onnx_file import Attribute, Kind, Node, Tensor, quoted

LONGEST_KERNEL = 4  # and stride, and factor of a Resize: AudDSR's
CHANNELS_AT_ONCE = 16  # ONNX Runtime stores and computes channels in lots of up to so many
PRODUCTS_PER_MOVE = 32  # multiplications of a matrix product in the time in which a number is looked up and put somewhere else

Shape: TypeAlias = tuple[int, ...]
Attributes: TypeAlias = Mapping[str, Attribute]
Allowed: TypeAlias = "tuple[Attribute, ...]"  # the values that an attribute may have
ANY: Allowed = ()


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


Rule: TypeAlias = Callable[[Sequence[Value], Attributes], Result]


@dataclass(frozen=True, slots=True)
class _Operator:
    rule: Rule
    inputs: range  # how many it is given
    left_out: int | None  # the place of an input that our exporters leave out
    attributes: Mapping[str, Allowed]


_OPERATORS: dict[str, _Operator] = {}


def in_lots(channels: int) -> int:
    """Channels, as many as are stored."""
    return -(-channels // CHANNELS_AT_ONCE) * CHANNELS_AT_ONCE


def result_of(node: Node, values: Mapping[str, Value]) -> Result:
    """What `node` makes of the values that it takes, by name; ValueError says what it holds that Auscult never writes."""
    operator = _OPERATORS.get(node.operator)
    if operator is None:
        raise ValueError(f"the operator {quoted(node.operator)}, which Auscult never writes")
    for name, attribute in node.attributes.items():
        allowed = operator.attributes.get(name)
        if allowed is None or (allowed != ANY and attribute not in allowed):
            raise ValueError(f"the operator {node.operator} with a {quoted(name)} that Auscult never writes")
    given = [name for place, name in enumerate(node.inputs) if name or place != operator.left_out]
    if len(given) not in operator.inputs or len(node.outputs) != 1:
        raise ValueError(f"the operator {node.operator} with as many inputs or outputs as Auscult never writes")
    for name in given:
        if name not in values:
            raise ValueError(f"the operator {node.operator} before what makes its input {quoted(name)}")
    try:
        result = operator.rule([values[name] for name in given], node.attributes)
    except (KeyError, IndexError, TypeError, ValueError):  # too few axes, an attribute of another type, or `_require`
        raise ValueError(f"the operator {node.operator} with inputs or attributes that do not fit") from None
    if min(result.value.shape, default=1) < 1:
        raise ValueError(f"the operator {node.operator} that leaves nothing")
    return result


def _operator(*names: str, inputs: range, left_out: int | None = None, **attributes: Allowed) -> Callable[[Rule], Rule]:
    """Declare the rule of operators: the inputs that they are given, and the attributes that they may have, with their values."""

    def declare(rule: Rule) -> Rule:
        _OPERATORS.update(dict.fromkeys(names, _Operator(rule, inputs, left_out, attributes)))
        return rule

    return declare


def exactly(count: int) -> range:
    """So many inputs."""
    return range(count, count + 1)


@_operator("Constant", inputs=exactly(0), value=ANY)
def _constant(inputs: Sequence[Value], attributes: Attributes) -> Result:
    tensor = attributes["value"]
    if not isinstance(tensor, Tensor):
        raise TypeError("no tensor")
    return _made(Value(tensor.kind, tensor.shape, tensor))


@_operator("Identity", inputs=exactly(1))
def _same(inputs: Sequence[Value], attributes: Attributes) -> Result:
    return _made(Value(inputs[0].kind, inputs[0].shape))


@_operator("Abs", "Relu", "Sigmoid", inputs=exactly(1))
def _each(inputs: Sequence[Value], attributes: Attributes) -> Result:
    return _floats(inputs, inputs[0].shape)


@_operator("Add", "Div", "Mul", "Sub", inputs=exactly(2))
def _both(inputs: Sequence[Value], attributes: Attributes) -> Result:
    return _floats(inputs, _broadcast(inputs[0].shape, inputs[1].shape))


@_operator("BatchNormalization", inputs=exactly(5), epsilon=ANY, momentum=ANY, training_mode=(0,))
def _normalized(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, *parameters = inputs
    _require(all(parameter.shape == value.shape[1:2] for parameter in parameters) and len(value.shape) > 1)
    return _floats(inputs, value.shape)


@_operator("MatMul", inputs=exactly(2))
def _product(inputs: Sequence[Value], attributes: Attributes) -> Result:
    left, right = inputs
    *stack, rows, inner = left.shape
    *right_stack, right_inner, columns = right.shape
    _require(inner == right_inner)
    return _of_matrix(inputs, (*_broadcast(tuple(stack), tuple(right_stack)), rows, columns), inner)


@_operator("Gemm", inputs=exactly(3), alpha=ANY, beta=ANY, transB=(0, 1))
def _matrix_product(inputs: Sequence[Value], attributes: Attributes) -> Result:
    left, right, offset = inputs
    rows, inner = left.shape
    right_inner, columns = reversed(right.shape) if attributes.get("transB") else right.shape
    _require(inner == right_inner and _broadcast(offset.shape, (rows, columns)) == (rows, columns))
    return _of_matrix(inputs, (rows, columns), inner)


@_operator("Conv", inputs=range(2, 4), kernel_shape=ANY, strides=ANY, pads=ANY, dilations=((1, 1),), group=ANY)
def _convolved(inputs: Sequence[Value], attributes: Attributes) -> Result:
    picture, weight, *bias = inputs
    batch, channels, *places = picture.shape
    made, of_group, *kernel = weight.shape
    groups = _integer(attributes.get("group", 1))
    _require(groups >= 1 and channels == of_group * groups and made % groups == 0)
    _require(_integers(attributes["kernel_shape"]) == tuple(kernel) and all(each.shape == (made,) for each in bias))
    result = _floats(inputs, (batch, made, *_swept(places, attributes)))
    taken = math.prod((channels, *kernel, *result.value.shape[2:]))  # every number as often as a kernel meets it
    return _with_weight(result, weight, of_group * math.prod(kernel), taken)


@_operator("ConvTranspose", inputs=exactly(3), kernel_shape=ANY, strides=ANY, pads=ANY, dilations=((1, 1),), group=(1,))
def _convolved_back(inputs: Sequence[Value], attributes: Attributes) -> Result:
    picture, weight, bias = inputs
    batch, channels, *places = picture.shape
    taken, made, *kernel = weight.shape
    _require(channels == taken and bias.shape == (made,) and _integers(attributes["kernel_shape"]) == tuple(kernel))
    steps = _windows(places, attributes)
    shape = (batch, made, *(stride * (length - 1) + long - pads for length, (long, stride, pads) in zip(places, steps, strict=True)))
    laid = math.prod((made, *kernel, *places))  # before what overlaps is added up
    return _with_weight(_floats(inputs, shape), weight, channels * math.prod(kernel), laid)


@_operator(
    *("AveragePool", "MaxPool"), inputs=exactly(1),
    kernel_shape=ANY, strides=ANY, pads=ANY, dilations=((1, 1),), ceil_mode=(0,), count_include_pad=(0, 1),
)  # fmt: skip
def _pooled(inputs: Sequence[Value], attributes: Attributes) -> Result:
    batch, channels, *places = inputs[0].shape
    shape = (batch, channels, *_swept(places, attributes))
    return _floats(inputs, shape, math.prod((*shape, *_integers(attributes["kernel_shape"]))))


@_operator(
    "Resize", inputs=exactly(2), left_out=1, mode=("nearest", "linear"), nearest_mode=("floor",), cubic_coeff_a=ANY,
    coordinate_transformation_mode=("asymmetric", "half_pixel"),
)  # fmt: skip
def _resized(inputs: Sequence[Value], attributes: Attributes) -> Result:
    picture, scales = inputs
    factors = scales.constant.numbers().tolist() if scales.constant is not None and scales.kind is Kind.FLOAT else []
    _require(len(picture.shape) == 4 and factors[:2] == [1.0, 1.0] and all(factor in range(1, LONGEST_KERNEL + 1) for factor in factors))
    shape = tuple(length * int(factor) for length, factor in zip(picture.shape, factors, strict=True))
    return _floats(inputs, shape, 4 * math.prod(shape))


@_operator("Concat", inputs=range(2, 4), axis=ANY)
def _joined(inputs: Sequence[Value], attributes: Attributes) -> Result:
    axis = _axis(_integer(attributes["axis"]), inputs[0])
    around = {(value.kind, *value.shape[:axis], None, *value.shape[axis + 1 :]) for value in inputs}
    _require(len(around) == 1)
    shape = inputs[0].shape
    return _made(Value(inputs[0].kind, (*shape[:axis], sum(value.shape[axis] for value in inputs), *shape[axis + 1 :])))


@_operator("Slice", inputs=range(4, 6))
def _sliced(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, *parameters = inputs
    starts, ends, axes, *steps = (_listed(parameter) for parameter in parameters)
    _require(all(step == 1 for step in (steps or [[]])[0]) and len(set(axes)) == len(axes))
    shape = list(value.shape)
    for start, end, axis in zip(starts, ends, (_axis(axis, value) for axis in axes), strict=True):
        shape[axis] = len(range(value.shape[axis])[start:end])
    return _made(Value(value.kind, tuple(shape)))


@_operator("Squeeze", inputs=exactly(2))
def _squeezed(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, axes = inputs[0], [_axis(axis, inputs[0]) for axis in _listed(inputs[1])]
    _require(all(value.shape[axis] == 1 for axis in axes))
    return _made(Value(value.kind, tuple(length for axis, length in enumerate(value.shape) if axis not in axes)))


@_operator("Unsqueeze", inputs=exactly(2))
def _unsqueezed(inputs: Sequence[Value], attributes: Attributes) -> Result:
    (axis,) = _listed(inputs[1])
    shape = inputs[0].shape
    _require(0 <= axis <= len(shape))
    return _made(Value(inputs[0].kind, (*shape[:axis], 1, *shape[axis:])))


@_operator("Transpose", inputs=exactly(1), perm=ANY)
def _turned(inputs: Sequence[Value], attributes: Attributes) -> Result:
    order = _integers(attributes["perm"])
    _require(sorted(order) == list(range(len(inputs[0].shape))))
    return _made(Value(inputs[0].kind, tuple(inputs[0].shape[axis] for axis in order)))


@_operator("Gather", inputs=exactly(2), axis=(0,))
def _gathered(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, places = inputs
    _require(places.kind is Kind.INT64 and len(value.shape) > 0)
    return _made(Value(value.kind, (*places.shape, *value.shape[1:])))


@_operator("ArgMin", inputs=exactly(1), axis=ANY, keepdims=(0,), select_last_index=(0,))
def _least(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value = inputs[0]
    axis = _axis(_integer(attributes["axis"]), value)
    _require(value.kind is Kind.FLOAT and "keepdims" in attributes)
    return _made(Value(Kind.INT64, (*value.shape[:axis], *value.shape[axis + 1 :])), value.size)


@_operator("ReduceSum", inputs=exactly(2), keepdims=(0,))
def _summed(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, axes = inputs[0], [_axis(axis, inputs[0]) for axis in _listed(inputs[1])]
    _require("keepdims" in attributes and len(axes) > 0)
    return _floats(inputs[:1], tuple(length for axis, length in enumerate(value.shape) if axis not in axes), value.size)


@_operator("QuantizeLinear", inputs=exactly(3))
def _quantized(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, scale, zero = inputs
    _require((value.kind, scale.kind, scale.shape, zero.kind, zero.shape) == (Kind.FLOAT, Kind.FLOAT, (), Kind.UINT8, ()))
    return _made(Value(zero.kind, value.shape))


@_operator("DequantizeLinear", inputs=exactly(3), axis=(0,))
def _dequantized(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, scale, zero = inputs
    scales = value.shape[:1] if "axis" in attributes else ()
    _require(value.kind in (Kind.UINT8, Kind.INT8, Kind.INT32) and scale.kind is Kind.FLOAT and zero.kind is value.kind)
    _require(scale.shape == zero.shape == scales)
    return _made(Value(Kind.FLOAT, value.shape))


def _made(value: Value, looked_at: int = 0) -> Result:
    """Each number is put somewhere, and so many more are looked at."""
    return Result(value, PRODUCTS_PER_MOVE * (value.size + looked_at))


def _floats(inputs: Sequence[Value], shape: Shape, looked_at: int = 0) -> Result:
    """Floats of floats."""
    _require(all(value.kind is Kind.FLOAT for value in inputs))
    return _made(Value(Kind.FLOAT, shape), looked_at)


def _of_matrix(inputs: Sequence[Value], shape: Shape, inner: int) -> Result:
    """A product keeps what stands right in another order, in lots of columns (or rows, where it is turned)."""
    result = _floats(inputs, shape)
    *stack, rows, columns = inputs[1].shape
    kept = math.prod(stack) * max(rows * in_lots(columns), in_lots(rows) * columns)
    return Result(result.value, result.products + result.value.size * inner, kept_bytes=kept * Kind.FLOAT.dtype.itemsize)


def _with_weight(result: Result, weight: Value, products_each: int, working: int) -> Result:
    """A convolution keeps its weight in another order, in lots of either channels."""
    kept = in_lots(weight.shape[0]) * in_lots(weight.shape[1]) * math.prod(weight.shape[2:])
    size = Kind.FLOAT.dtype.itemsize
    products = result.products + result.value.bytes // size * products_each
    return Result(result.value, products, kept_bytes=kept * size, working_bytes=working * size)


def _swept(places: Sequence[int], attributes: Attributes) -> Shape:
    """Where a kernel fits along each axis."""
    steps = _windows(places, attributes)
    return tuple((length + pads - long) // stride + 1 for length, (long, stride, pads) in zip(places, steps, strict=True))


def _windows(places: Sequence[int], attributes: Attributes) -> list[tuple[int, int, int]]:
    """The length of a kernel, its stride and the zeros around, along time and mel."""
    kernel = _integers(attributes["kernel_shape"])
    strides, pads = _integers(attributes.get("strides", (1, 1))), _integers(attributes.get("pads", (0, 0, 0, 0)))
    _require(len(places) == len(kernel) == len(strides) == 2 and len(pads) == 4)
    _require(all(1 <= length <= LONGEST_KERNEL for length in (*kernel, *strides)))
    _require(all(0 <= pad < kernel[side % 2] for side, pad in enumerate(pads)))
    return [(kernel[axis], strides[axis], pads[axis] + pads[axis + 2]) for axis in range(2)]


def _broadcast(left: Shape, right: Shape) -> Shape:
    """What two shapes become together."""
    pairs = list(zip_longest(reversed(left), reversed(right), fillvalue=1))
    _require(all(a == b or 1 in (a, b) for a, b in pairs))
    return tuple(max(pair) for pair in reversed(pairs))


def _axis(axis: int, value: Value) -> int:
    """An axis that may be counted from the end."""
    _require(-len(value.shape) <= axis < len(value.shape))
    return axis % len(value.shape)


def _listed(value: Value) -> list[int]:
    """The numbers of a constant list."""
    if value.constant is None or value.kind is not Kind.INT64 or len(value.shape) != 1:
        raise ValueError("no constant list")
    return [int(number) for number in value.constant.numbers()]


def _integer(attribute: Attribute) -> int:
    if not isinstance(attribute, int):
        raise TypeError("no whole number")
    return attribute


def _integers(attribute: Attribute) -> tuple[int, ...]:
    if not isinstance(attribute, tuple):
        raise TypeError("no list of whole numbers")
    return attribute


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("does not fit")
