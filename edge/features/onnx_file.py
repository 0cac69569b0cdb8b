"""Read an ONNX file, strictly: anything that Auscult does not write is refused, so ONNX Runtime cannot find more in it than we do.

An ONNX file is a protobuf message (onnx.proto, IR version 3 to 13).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.features.protobuf import FOUR_BYTES, VARINT, Field, Message, Reader, integer, text

OPSET = 17  # what the exporters write; other versions give some operators another meaning
MOST_FIELDS = 100_000  # of a whole file; the largest of ours has 10,000
MOST_TEXT_BYTES = 1 << 20  # of a whole file but for the numbers of its constants; ours have a tenth of it at most


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


# Field number -> field, of each message of onnx.proto.
_MODEL: Message = {
    1: Field("ir_version", VARINT), 2: Field("producer"), 3: Field("producer_version"), 4: Field("domain"),
    5: Field("version", VARINT), 6: Field("note"), 7: Field("graph"), 8: Field("opsets", many=True), 14: Field("about", many=True),
}  # fmt: skip
_OPSET: Message = {1: Field("domain"), 2: Field("version", VARINT)}
_GRAPH: Message = {
    1: Field("nodes", many=True), 2: Field("name"), 5: Field("constants", many=True), 10: Field("note"),
    11: Field("inputs", many=True), 12: Field("outputs", many=True),
}  # fmt: skip
_NODE: Message = {
    1: Field("inputs", many=True), 2: Field("outputs", many=True), 3: Field("name"), 4: Field("operator"),
    5: Field("attributes", many=True), 6: Field("note"), 7: Field("domain"),
}  # fmt: skip
_ATTRIBUTE: Message = {
    1: Field("name"), 2: Field("float", FOUR_BYTES), 3: Field("integer", VARINT), 4: Field("text"), 5: Field("tensor"),
    8: Field("integers", VARINT, many=True), 20: Field("type", VARINT),
}  # fmt: skip
_ATTRIBUTE_TYPES = {"float": 1, "integer": 2, "text": 3, "tensor": 4, "integers": 7}
_TENSOR: Message = {
    1: Field("shape", VARINT, many=True), 2: Field("kind", VARINT), 8: Field("name"), 9: Field("content"),
    13: Field("elsewhere", many=True), 14: Field("location", VARINT),
}  # fmt: skip
_VALUE: Message = {1: Field("name"), 2: Field("type")}
_TYPE: Message = {1: Field("tensor")}
_TENSOR_TYPE: Message = {1: Field("kind", VARINT), 2: Field("shape")}
_SHAPE: Message = {1: Field("dimensions", many=True)}
_DIMENSION: Message = {1: Field("length", VARINT), 2: Field("name")}


def read_graph(model: bytes) -> Graph:
    """The network in a file. ValueError names the first thing in it that Auscult never writes."""
    return _Parts().model(memoryview(model))


def quoted(name: str) -> str:
    """A name from a file as it may be shown: short, and nothing but printable ASCII."""
    return ascii(name if len(name) <= 40 else f"{name[:40]}...")


class _Parts:
    """What the messages of one file mean."""

    def __init__(self) -> None:
        self._reader = Reader(MOST_FIELDS)
        self._number_bytes = 0  # of constants

    def model(self, content: memoryview) -> Graph:
        model = self._reader.record(content, _MODEL)
        opsets = [self._reader.record(opset, _OPSET) for opset in model.many("opsets")]
        if [(opset.text("domain"), opset.integer("version")) for opset in opsets] != [("", OPSET)]:
            raise ValueError(f"operators that are not those of ONNX's version {OPSET}, which Auscult writes")
        graph = self._reader.record(model.one("graph"), _GRAPH)
        constants: dict[str, Tensor] = {}
        for constant in graph.many("constants"):
            name, tensor = self._tensor(constant)
            if name in constants:
                raise ValueError(f"two constants of the name {quoted(name)}")
            constants[name] = tensor
        found = Graph(
            inputs=tuple(self._declared(value) for value in graph.many("inputs")),
            outputs=tuple(self._declared(value) for value in graph.many("outputs")),
            constants=constants,
            nodes=tuple(self._node(node) for node in graph.many("nodes")),
        )
        if len(content) - self._number_bytes > MOST_TEXT_BYTES:
            raise ValueError("longer names and notes than any network of Auscult's")
        if unused := constants.keys() - {name for node in found.nodes for name in node.inputs} - {value.name for value in found.outputs}:
            raise ValueError(f"a constant {quoted(min(unused))} that nothing uses")
        return found

    def _node(self, content: memoryview) -> Node:
        node = self._reader.record(content, _NODE)
        operator, domain = node.text("operator"), node.text("domain")
        if domain:
            raise ValueError(f"the operator {quoted(operator)} of the domain {quoted(domain)}, which Auscult never writes")
        attributes: dict[str, Attribute] = {}
        for part in node.many("attributes"):
            name, attribute = self._attribute(part)
            if name in attributes:
                raise ValueError(f"an operator {quoted(operator)} that has {quoted(name)} twice")
            attributes[name] = attribute
        return Node(operator, tuple(map(text, node.many("inputs"))), tuple(map(text, node.many("outputs"))), attributes)

    def _attribute(self, content: memoryview) -> tuple[str, Attribute]:
        attribute = self._reader.record(content, _ATTRIBUTE)
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
        numbers = tuple(map(integer, attribute.many(kind)))
        return name, numbers if kind == "integers" else numbers[0]

    def _tensor(self, content: memoryview) -> tuple[str, Tensor]:
        tensor = self._reader.record(content, _TENSOR)
        if "elsewhere" in tensor or ("location" in tensor and tensor.integer("location")):
            raise ValueError("weights in another file")
        name, kind, shape = tensor.text("name"), _kind(tensor.integer("kind")), tuple(map(integer, tensor.many("shape")))
        if any(length < 1 for length in shape) or math.prod(shape) * kind.dtype.itemsize != len(tensor.one("content")):
            raise ValueError(f"a constant {quoted(name)} whose data does not match its shape")
        self._number_bytes += len(tensor.one("content"))
        return name, Tensor(kind, shape, tensor.one("content"))

    def _declared(self, content: memoryview) -> Declared:
        value = self._reader.record(content, _VALUE)
        tensor = self._reader.record(self._reader.record(value.one("type"), _TYPE).one("tensor"), _TENSOR_TYPE)
        dimensions = [self._reader.record(each, _DIMENSION) for each in self._reader.record(tensor.one("shape"), _SHAPE).many("dimensions")]
        shape = tuple(each.integer("length") if "length" in each else None for each in dimensions)
        name = value.text("name")
        if any(("length" in each) == ("name" in each) for each in dimensions) or any(length is not None and length < 1 for length in shape):
            raise ValueError(f"a value {quoted(name)} with a dimension of no length and no name, or of both")
        return Declared(name, _kind(tensor.integer("kind")), shape)


def _kind(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise ValueError(f"numbers of a type ({number}) that Auscult never writes") from None
