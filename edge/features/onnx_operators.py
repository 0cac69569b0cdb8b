"""The shapes that each operator of our exporters computes from its inputs' shapes (ONNX operators, version 17).

One rule for each, and only as far as our exporters use it: an operator, an attribute, a type or a form without a rule is refused. Sizes of
results follow from shapes and constants alone, never from numbers that are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge.features.onnx_file import Attribute, Kind, Node, Tensor, quoted
from edge.features.onnx_shapes import (
    LONGEST_KERNEL,
    Attributes,
    Result,
    Value,
    axis_of,
    broadcast,
    floats,
    integer,
    integers,
    listed,
    made,
    matrix_product,
    require,
    swept,
    windows,
    with_weight,
)

Allowed: TypeAlias = "tuple[Attribute, ...]"  # the values that an attribute may have
ANY: Allowed = ()
Rule: TypeAlias = Callable[[Sequence[Value], Attributes], Result]


@dataclass(frozen=True, slots=True)
class _Operator:
    rule: Rule
    inputs: range  # how many it is given
    left_out: int | None  # the place of an input that our exporters leave out
    attributes: Mapping[str, Allowed]


_OPERATORS: dict[str, _Operator] = {}


def result_of(node: Node, values: Mapping[str, Value]) -> Result:
    """The outputs of `node` by name. ValueError names the first thing in it that Auscult never writes."""
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
    except (KeyError, IndexError, TypeError, ValueError):  # too few axes, an attribute of another type, or `require`
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
    return made(Value(tensor.kind, tensor.shape, tensor))


@_operator("Identity", inputs=exactly(1))
def _same(inputs: Sequence[Value], attributes: Attributes) -> Result:
    return made(Value(inputs[0].kind, inputs[0].shape))


@_operator("Abs", "Relu", "Sigmoid", inputs=exactly(1))
def _each(inputs: Sequence[Value], attributes: Attributes) -> Result:
    return floats(inputs, inputs[0].shape)


@_operator("Add", "Div", "Mul", "Sub", inputs=exactly(2))
def _both(inputs: Sequence[Value], attributes: Attributes) -> Result:
    return floats(inputs, broadcast(inputs[0].shape, inputs[1].shape))


@_operator("BatchNormalization", inputs=exactly(5), epsilon=ANY, momentum=ANY, training_mode=(0,))
def _normalized(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, *parameters = inputs
    require(all(parameter.shape == value.shape[1:2] for parameter in parameters) and len(value.shape) > 1)
    return floats(inputs, value.shape)


@_operator("MatMul", inputs=exactly(2))
def _product(inputs: Sequence[Value], attributes: Attributes) -> Result:
    left, right = inputs
    *stack, rows, inner = left.shape
    *right_stack, right_inner, columns = right.shape
    require(inner == right_inner)
    return matrix_product(inputs, (*broadcast(tuple(stack), tuple(right_stack)), rows, columns), inner)


@_operator("Gemm", inputs=exactly(3), alpha=ANY, beta=ANY, transB=(0, 1))
def _matrix_product(inputs: Sequence[Value], attributes: Attributes) -> Result:
    left, right, offset = inputs
    rows, inner = left.shape
    right_inner, columns = reversed(right.shape) if attributes.get("transB") else right.shape
    require(inner == right_inner and broadcast(offset.shape, (rows, columns)) == (rows, columns))
    return matrix_product(inputs, (rows, columns), inner)


@_operator("Conv", inputs=range(2, 4), kernel_shape=ANY, strides=ANY, pads=ANY, dilations=((1, 1),), group=ANY)
def _convolved(inputs: Sequence[Value], attributes: Attributes) -> Result:
    picture, weight, *bias = inputs
    batch, channels, *places = picture.shape
    channels_out, of_group, *kernel = weight.shape
    groups = integer(attributes.get("group", 1))
    require(groups >= 1 and channels == of_group * groups and channels_out % groups == 0)
    require(integers(attributes["kernel_shape"]) == tuple(kernel) and all(each.shape == (channels_out,) for each in bias))
    result = floats(inputs, (batch, channels_out, *swept(places, attributes)))
    taken = math.prod((channels, *kernel, *result.value.shape[2:]))  # every number as often as a kernel meets it
    return with_weight(result, weight, of_group * math.prod(kernel), taken)


@_operator("ConvTranspose", inputs=exactly(3), kernel_shape=ANY, strides=ANY, pads=ANY, dilations=((1, 1),), group=(1,))
def _convolved_back(inputs: Sequence[Value], attributes: Attributes) -> Result:
    picture, weight, bias = inputs
    batch, channels, *places = picture.shape
    taken, channels_out, *kernel = weight.shape
    require(channels == taken and bias.shape == (channels_out,) and integers(attributes["kernel_shape"]) == tuple(kernel))
    steps = windows(places, attributes)
    shape = (
        batch,
        channels_out,
        *(stride * (length - 1) + long - pads for length, (long, stride, pads) in zip(places, steps, strict=True)),
    )
    laid = math.prod((channels_out, *kernel, *places))  # before what overlaps is added up
    return with_weight(floats(inputs, shape), weight, channels * math.prod(kernel), laid)


@_operator(
    *("AveragePool", "MaxPool"), inputs=exactly(1),
    kernel_shape=ANY, strides=ANY, pads=ANY, dilations=((1, 1),), ceil_mode=(0,), count_include_pad=(0, 1),
)  # fmt: skip
def _pooled(inputs: Sequence[Value], attributes: Attributes) -> Result:
    batch, channels, *places = inputs[0].shape
    shape = (batch, channels, *swept(places, attributes))
    return floats(inputs, shape, math.prod((*shape, *integers(attributes["kernel_shape"]))))


@_operator(
    "Resize", inputs=exactly(2), left_out=1, mode=("nearest", "linear"), nearest_mode=("floor",), cubic_coeff_a=ANY,
    coordinate_transformation_mode=("asymmetric", "half_pixel"),
)  # fmt: skip
def _resized(inputs: Sequence[Value], attributes: Attributes) -> Result:
    picture, scales = inputs
    factors = scales.constant.numbers().tolist() if scales.constant is not None and scales.kind is Kind.FLOAT else []
    require(len(picture.shape) == 4 and factors[:2] == [1.0, 1.0] and all(factor in range(1, LONGEST_KERNEL + 1) for factor in factors))
    shape = tuple(length * int(factor) for length, factor in zip(picture.shape, factors, strict=True))
    return floats(inputs, shape, 4 * math.prod(shape))


@_operator("Concat", inputs=range(2, 4), axis=ANY)
def _joined(inputs: Sequence[Value], attributes: Attributes) -> Result:
    axis = axis_of(integer(attributes["axis"]), inputs[0])
    around = {(value.kind, *value.shape[:axis], None, *value.shape[axis + 1 :]) for value in inputs}
    require(len(around) == 1)
    shape = inputs[0].shape
    return made(Value(inputs[0].kind, (*shape[:axis], sum(value.shape[axis] for value in inputs), *shape[axis + 1 :])))


@_operator("Slice", inputs=range(4, 6))
def _sliced(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, *parameters = inputs
    starts, ends, axes, *steps = (listed(parameter) for parameter in parameters)
    require(all(step == 1 for step in (steps or [[]])[0]) and len(set(axes)) == len(axes))
    shape = list(value.shape)
    for start, end, axis in zip(starts, ends, (axis_of(axis, value) for axis in axes), strict=True):
        shape[axis] = len(range(value.shape[axis])[start:end])
    return made(Value(value.kind, tuple(shape)))


@_operator("Squeeze", inputs=exactly(2))
def _squeezed(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, axes = inputs[0], [axis_of(axis, inputs[0]) for axis in listed(inputs[1])]
    require(all(value.shape[axis] == 1 for axis in axes))
    return made(Value(value.kind, tuple(length for axis, length in enumerate(value.shape) if axis not in axes)))


@_operator("Unsqueeze", inputs=exactly(2))
def _unsqueezed(inputs: Sequence[Value], attributes: Attributes) -> Result:
    (axis,) = listed(inputs[1])
    shape = inputs[0].shape
    require(0 <= axis <= len(shape))
    return made(Value(inputs[0].kind, (*shape[:axis], 1, *shape[axis:])))


@_operator("Transpose", inputs=exactly(1), perm=ANY)
def _turned(inputs: Sequence[Value], attributes: Attributes) -> Result:
    order = integers(attributes["perm"])
    require(sorted(order) == list(range(len(inputs[0].shape))))
    return made(Value(inputs[0].kind, tuple(inputs[0].shape[axis] for axis in order)))


@_operator("Gather", inputs=exactly(2), axis=(0,))
def _gathered(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, places = inputs
    require(places.kind is Kind.INT64 and len(value.shape) > 0)
    return made(Value(value.kind, (*places.shape, *value.shape[1:])))


@_operator("ArgMin", inputs=exactly(1), axis=ANY, keepdims=(0,), select_last_index=(0,))
def _least(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value = inputs[0]
    axis = axis_of(integer(attributes["axis"]), value)
    require(value.kind is Kind.FLOAT and "keepdims" in attributes)
    return made(Value(Kind.INT64, (*value.shape[:axis], *value.shape[axis + 1 :])), value.size)


@_operator("ReduceSum", inputs=exactly(2), keepdims=(0,))
def _summed(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, axes = inputs[0], [axis_of(axis, inputs[0]) for axis in listed(inputs[1])]
    require("keepdims" in attributes and len(axes) > 0)
    return floats(inputs[:1], tuple(length for axis, length in enumerate(value.shape) if axis not in axes), value.size)


@_operator("QuantizeLinear", inputs=exactly(3))
def _quantized(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, scale, zero = inputs
    require((value.kind, scale.kind, scale.shape, zero.kind, zero.shape) == (Kind.FLOAT, Kind.FLOAT, (), Kind.UINT8, ()))
    return made(Value(zero.kind, value.shape))


@_operator("DequantizeLinear", inputs=exactly(3), axis=(0,))
def _dequantized(inputs: Sequence[Value], attributes: Attributes) -> Result:
    value, scale, zero = inputs
    scales = value.shape[:1] if "axis" in attributes else ()
    require(value.kind in (Kind.UINT8, Kind.INT8, Kind.INT32) and scale.kind is Kind.FLOAT and zero.kind is value.kind)
    require(scale.shape == zero.shape == scales)
    return made(Value(Kind.FLOAT, value.shape))
