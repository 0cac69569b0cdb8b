"""Look into a network before ONNX Runtime does: it has read other files and filled the memory by the time it refuses.

An ONNX file is a protobuf message (onnx.proto3, IR version 3 to 13). Only what can do harm is looked for, in any depth of the graph:

external data   weights in another file, of the network's choice
control flow    loops, which end when the network wants
made to order   operators whose result is as large as a number in the network says, and that are computed while it is opened
other domains   operators that are not ONNX's or ONNX Runtime's own
"""

from __future__ import annotations

from collections.abc import Iterator

# Field numbers of onnx.proto3.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODES, _GRAPH_TENSORS, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTES, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_REFUSED = frozenset(
    {"Loop", "Scan", "If", "SequenceMap", "ConstantOfShape", "Range", "Tile", "Expand", "EyeLike", "OneHot"}
    | {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
_DOMAINS = frozenset({b"", b"ai.onnx", b"com.microsoft"})


def check_graph(model: bytes) -> None:
    """Refuse a network that could do more than compute; ValueError says what it holds, as in `Loop, which ...`."""
    for number, value in _fields(memoryview(model)):
        if number == _MODEL_GRAPH:
            _check_graph(value)
        elif number == _MODEL_FUNCTIONS:
            raise ValueError("functions of its own, which Auscult never writes")


def _check_graph(graph: memoryview, depth: int = 0) -> None:
    if depth > 4:
        raise ValueError("graphs within graphs, which Auscult never writes")
    for number, value in _fields(graph):
        if number == _GRAPH_NODES:
            _check_node(value, depth)
        elif number == _GRAPH_TENSORS:
            _check_tensor(value)
        elif number == _GRAPH_SPARSE:
            raise ValueError("sparse constants, which Auscult never writes")


def _check_node(node: memoryview, depth: int) -> None:
    for number, value in _fields(node):
        if number == _NODE_OPERATOR and (operator := bytes(value[:40]).decode(errors="replace")) in _REFUSED:
            raise ValueError(f"the operator {operator}, which can run or grow without end")
        if number == _NODE_DOMAIN and bytes(value[:40]) not in _DOMAINS:
            raise ValueError(f"an operator of the unknown domain {bytes(value[:40]).decode(errors='replace')!r}")
        if number == _NODE_ATTRIBUTES:
            for kind, inner in _fields(value):
                if kind in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                    _check_tensor(inner)
                elif kind in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                    _check_graph(inner, depth + 1)


def _check_tensor(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and any(value)):
            raise ValueError("weights in another file; export it as one file")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message, as (number, bytes); ValueError where they are none."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _LENGTH:
            length, place = _varint(message, place)
        elif kind == _VARINT:
            start = place
            _, end = _varint(message, place)
            length = end - start
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("bytes that are no ONNX")
        if place + length > len(message):
            raise ValueError("bytes that are no ONNX, or cut short")
        yield key >> 3, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits per byte, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError("bytes that are no ONNX, or cut short")
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError("bytes that are no ONNX")
