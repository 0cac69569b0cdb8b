"""Read an ONNX file as far as Auscult writes them; all else is refused, so that ONNX Runtime cannot read anything into it that we do not.

An ONNX file is a protobuf message (onnx.proto, IR version 3 to 13). Protobuf skips fields that it does not know or that have another wire
type, and merges messages that stand twice: here each field is known, of its own wire type, and stands once unless it is a list.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

OPSET = 17  # what the exporters write; other versions give some operators another meaning
MOST_FIELDS = 100_000  # of a whole file; the largest of ours has 10,000
NO_ONNX = "bytes that are no ONNX"


class Kind(IntEnum):
    """What a tensor consists of, as TensorProto.DataType numbers it."""

    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    INT32 = 6
    INT64 = 7

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """As numpy calls it."""
        return np.dtype(f"<{_NUMPY[self]}")


_NUMPY = {Kind.FLOAT: "f4", Kind.UINT8: "u1", Kind.INT8: "i1", Kind.INT32: "i4", Kind.INT64: "i8"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A constant."""

    kind: Kind
    shape: tuple[int, ...]
    content: memoryview

    def numbers(self) -> NDArray[np.generic]:
        """Its values, of `shape`; read-only."""
        return np.frombuffer(self.content, self.kind.dtype).reshape(self.shape)


Attribute: TypeAlias = "int | float | str | tuple[int, ...] | Tensor"


@dataclass(frozen=True, slots=True)
class Node:
    """An operator at its place."""

    operator: str
    inputs: tuple[str, ...]  # "" for one that is left out
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class Declared:
    """An input or output of the whole network; a dimension that each call may choose is None."""

    name: str
    kind: Kind
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A network."""

    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    constants: Mapping[str, Tensor]
    nodes: tuple[Node, ...]


_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    wire: int = _LENGTH
    many: bool = False


# Field number -> field, of each message of onnx.proto.
_Message = Mapping[int, _Field]
_MODEL: _Message = {
    1: _Field("ir_version", _VARINT), 2: _Field("producer"), 3: _Field("producer_version"), 4: _Field("domain"),
    5: _Field("version", _VARINT), 6: _Field("note"), 7: _Field("graph"), 8: _Field("opsets", many=True), 14: _Field("about", many=True),
}  # fmt: skip
_OPSET: _Message = {1: _Field("domain"), 2: _Field("version", _VARINT)}
_GRAPH: _Message = {
    1: _Field("nodes", many=True), 2: _Field("name"), 5: _Field("constants", many=True), 10: _Field("note"),
    11: _Field("inputs", many=True), 12: _Field("outputs", many=True),
}  # fmt: skip
_NODE: _Message = {
    1: _Field("inputs", many=True), 2: _Field("outputs", many=True), 3: _Field("name"), 4: _Field("operator"),
    5: _Field("attributes", many=True), 6: _Field("note"), 7: _Field("domain"),
}  # fmt: skip
_ATTRIBUTE: _Message = {
    1: _Field("name"), 2: _Field("float", _FOUR_BYTES), 3: _Field("integer", _VARINT), 4: _Field("text"), 5: _Field("tensor"),
    8: _Field("integers", _VARINT, many=True), 20: _Field("type", _VARINT),
}  # fmt: skip
_ATTRIBUTE_TYPES = {"float": 1, "integer": 2, "text": 3, "tensor": 4, "integers": 7}
_TENSOR: _Message = {
    1: _Field("shape", _VARINT, many=True), 2: _Field("kind", _VARINT), 8: _Field("name"), 9: _Field("content"),
    13: _Field("elsewhere", many=True), 14: _Field("location", _VARINT),
}  # fmt: skip
_VALUE: _Message = {1: _Field("name"), 2: _Field("type")}
_TYPE: _Message = {1: _Field("tensor")}
_TENSOR_TYPE: _Message = {1: _Field("kind", _VARINT), 2: _Field("shape")}
_SHAPE: _Message = {1: _Field("dimensions", many=True)}
_DIMENSION: _Message = {1: _Field("length", _VARINT), 2: _Field("name")}


def read_graph(model: bytes) -> Graph:
    """The network in a file; ValueError says what the file holds that Auscult never writes."""
    return _Reader().model(memoryview(model))


def quoted(name: str) -> str:
    """A name from a file as it may be shown: short, and nothing but printable ASCII."""
    return ascii(name if len(name) <= 40 else f"{name[:40]}...")


class _Record:
    """The fields of one message that were there."""

    def __init__(self, fields: dict[str, list[memoryview]]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def many(self, name: str) -> list[memoryview]:
        return self._fields.get(name, [])

    def one(self, name: str) -> memoryview:
        if name not in self._fields:
            raise ValueError(NO_ONNX)
        return self._fields[name][0]

    def integer(self, name: str) -> int:
        return _integer(self.one(name))

    def text(self, name: str) -> str:
        return _text(self._fields[name][0]) if name in self._fields else ""


class _Reader:
    """Counts what it reads: a file of fields without number would take minutes."""

    def __init__(self) -> None:
        self._fields_left = MOST_FIELDS

    def model(self, content: memoryview) -> Graph:
        model = self._record(content, _MODEL)
        opsets = [self._record(opset, _OPSET) for opset in model.many("opsets")]
        if [(opset.text("domain"), opset.integer("version")) for opset in opsets] != [("", OPSET)]:
            raise ValueError(f"operators that are not those of ONNX's version {OPSET}, which Auscult writes")
        graph = self._record(model.one("graph"), _GRAPH)
        constants: dict[str, Tensor] = {}
        for constant in graph.many("constants"):
            name, tensor = self._tensor(constant)
            if name in constants:
                raise ValueError(f"two constants of the name {quoted(name)}")
            constants[name] = tensor
        return Graph(
            inputs=tuple(self._declared(value) for value in graph.many("inputs")),
            outputs=tuple(self._declared(value) for value in graph.many("outputs")),
            constants=constants,
            nodes=tuple(self._node(node) for node in graph.many("nodes")),
        )

    def _node(self, content: memoryview) -> Node:
        node = self._record(content, _NODE)
        operator, domain = node.text("operator"), node.text("domain")
        if domain:
            raise ValueError(f"the operator {quoted(operator)} of the domain {quoted(domain)}, which Auscult never writes")
        attributes: dict[str, Attribute] = {}
        for part in node.many("attributes"):
            name, attribute = self._attribute(part)
            if name in attributes:
                raise ValueError(f"an operator {quoted(operator)} that has {quoted(name)} twice")
            attributes[name] = attribute
        return Node(operator, tuple(map(_text, node.many("inputs"))), tuple(map(_text, node.many("outputs"))), attributes)

    def _attribute(self, content: memoryview) -> tuple[str, Attribute]:
        attribute = self._record(content, _ATTRIBUTE)
        name = attribute.text("name")
        found = [kind for kind in _ATTRIBUTE_TYPES if kind in attribute]
        if len(found) != 1 or attribute.integer("type") != _ATTRIBUTE_TYPES[found[0]]:
            raise ValueError(f"an attribute {quoted(name)} of a type that Auscult never writes")
        kind = found[0]
        if kind == "tensor":
            return name, self._tensor(attribute.one(kind))[1]
        if kind == "float":
            return name, float(struct.unpack("<f", attribute.one(kind))[0])
        if kind == "text":
            return name, attribute.text(kind)
        numbers = tuple(map(_integer, attribute.many(kind)))
        return name, numbers if kind == "integers" else numbers[0]

    def _tensor(self, content: memoryview) -> tuple[str, Tensor]:
        tensor = self._record(content, _TENSOR)
        if "elsewhere" in tensor or ("location" in tensor and tensor.integer("location")):
            raise ValueError("weights in another file")
        name, kind, shape = tensor.text("name"), _kind(tensor.integer("kind")), tuple(map(_integer, tensor.many("shape")))
        if any(length < 1 for length in shape) or math.prod(shape) * kind.dtype.itemsize != len(tensor.one("content")):
            raise ValueError(f"a constant {quoted(name)} that has not the numbers that its shape says")
        return name, Tensor(kind, shape, tensor.one("content"))

    def _declared(self, content: memoryview) -> Declared:
        value = self._record(content, _VALUE)
        tensor = self._record(self._record(value.one("type"), _TYPE).one("tensor"), _TENSOR_TYPE)
        dimensions = [self._record(each, _DIMENSION) for each in self._record(tensor.one("shape"), _SHAPE).many("dimensions")]
        shape = tuple(each.integer("length") if "length" in each else None for each in dimensions)
        name = value.text("name")
        if any((length is None) != bool(each.text("name")) or (length or 1) < 1 for length, each in zip(shape, dimensions, strict=True)):
            raise ValueError(f"a {quoted(name)} with a dimension that has neither a length nor a name")
        return Declared(name, _kind(tensor.integer("kind")), shape)

    def _record(self, content: memoryview, message: _Message) -> _Record:
        fields: dict[str, list[memoryview]] = {}
        for number, wire, value in _fields(content):
            self._fields_left -= 1
            if self._fields_left < 0:
                raise ValueError("more parts than any network of Auscult's")
            field = message.get(number)
            if field is None or field.wire != wire:
                raise ValueError(f"a part (field {number}) that Auscult never writes")
            values = fields.setdefault(field.name, [])
            if values and not field.many:
                raise ValueError(f"a part (field {number}) twice")
            values.append(value)
        return _Record(fields)


def _kind(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise ValueError(f"numbers of a type ({number}) that Auscult never writes") from None


def _text(content: memoryview) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise ValueError(NO_ONNX) from None


def _integer(content: memoryview) -> int:
    """A signed number of 64 bits."""
    number, _ = _varint(content, 0)
    if number >= 1 << 64:
        raise ValueError(NO_ONNX)
    return number - (1 << 64) if number >= 1 << 63 else number


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """The fields of a message, as (number, wire type, bytes); ValueError where they are none."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        wire = key & 7
        if wire == _LENGTH:
            length, place = _varint(message, place)
        elif wire == _VARINT:
            length = _varint(message, place)[1] - place
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(NO_ONNX)
        if place + length > len(message):
            raise ValueError(f"{NO_ONNX}, or cut short")
        yield key >> 3, wire, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits per byte, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError(f"{NO_ONNX}, or cut short")
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError(NO_ONNX)
