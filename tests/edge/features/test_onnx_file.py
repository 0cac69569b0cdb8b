"""An ONNX file is read as ONNX Runtime reads it, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, load_from_string, numpy_helper

from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE
from edge.features.onnx_file import Kind, read_graph


def model() -> ModelProto:
    """y = x + c."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
    constant = numpy_helper.from_array(np.arange(4, dtype=np.float32), "c")
    graph = helper.make_graph([helper.make_node("Add", ["x", "c"], ["y"])], "g", values[:1], values[1:], [constant])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_read_graph_finds_what_the_onnx_package_finds() -> None:
    content = (BUILT_IN / f"{DEFAULT_BACKBONE}.onnx").read_bytes()
    ours, theirs = read_graph(content), load_from_string(content).graph
    assert [node.operator for node in ours.nodes] == [node.op_type for node in theirs.node]
    assert [node.inputs for node in ours.nodes] == [tuple(node.input) for node in theirs.node]
    assert [value.name for value in ours.inputs] == [value.name for value in theirs.input]
    assert ours.inputs[0].shape == (1, 1, None, 64)
    for tensor in theirs.initializer:
        np.testing.assert_array_equal(ours.constants[tensor.name].numbers(), numpy_helper.to_array(tensor))
    attributes = [{each.name: helper.get_attribute_value(each) for each in node.attribute} for node in theirs.node]
    assert [{name: list(v) if isinstance(v, tuple) else v for name, v in node.attributes.items()} for node in ours.nodes] == attributes


def test_read_graph_reads_numbers_of_every_kind() -> None:
    for kind in Kind:
        spoilt = model()
        spoilt.graph.initializer.append(numpy_helper.from_array(np.array([[1, 2]], kind.dtype), "d"))
        spoilt.graph.node.append(helper.make_node("Identity", ["d"], ["e"]))
        tensor = read_graph(spoilt.SerializeToString()).constants["d"]
        assert (tensor.kind, tensor.numbers().tolist()) == (kind, [[1, 2]])


def appended(content: bytes, field: int, inner: bytes) -> bytes:
    """With one more field, which holds a message."""
    return content + varint(field << 3 | 2) + varint(len(inner)) + inner


def varint(number: int) -> bytes:
    """A number of seven bits per byte."""
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + varint(number >> 7)


def changed(**fields: object) -> bytes:
    """The network with fields of its constant that say something else."""
    spoilt = model()
    constant = spoilt.graph.initializer[0]
    for name, value in fields.items():
        constant.ClearField(name)
        if isinstance(value, list):
            getattr(constant, name).extend(value)
        else:
            setattr(constant, name, value)
    return bytes(spoilt.SerializeToString())


def with_opset(domain: str, version: int) -> bytes:
    spoilt = model()
    spoilt.opset_import.append(helper.make_opsetid(domain, version))
    return bytes(spoilt.SerializeToString())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (appended(model().SerializeToString(), 7, b""), r"a part \(field 7\) twice"),  # protobuf joins them
        (appended(model().SerializeToString(), 25, b""), r"a part \(field 25\) that Auscult never writes"),  # functions
        (model().SerializeToString() + b"\x38\x01", r"a part \(field 7\) that Auscult never writes"),  # a number in the place of a message
        (with_opset("ai.onnx.ml", 3), "operators that are not those of ONNX's version 17"),
        (with_opset("", 11), "operators that are not those of ONNX's version 17"),
        (changed(dims=[5]), "a constant 'c' whose data does not match its shape"),
        (changed(dims=[-4]), "a constant 'c' whose data does not match"),
        (changed(dims=[0], raw_data=b""), "a constant 'c' whose data does not match"),
        (changed(data_type=TensorProto.DOUBLE), r"numbers of a type \(11\)"),
        (changed(float_data=[1.0]), r"a part \(field 4\)"),
        (changed(name="c\x1b[31m" + "x" * 1000, dims=[1]), r"a constant 'c\\x1b\[31mx{34}\.\.\.' whose data"),
    ],
)
def test_read_graph_refuses(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_graph(content)


def test_read_graph_of_parts_without_number_ends_soon() -> None:
    """Ten megabytes of empty nodes."""
    spoilt = model()
    graph = spoilt.graph.SerializeToString() + b"\x0a\x00" * 5_000_000
    spoilt.ClearField("graph")
    with pytest.raises(ValueError, match="more parts than any network of Auscult's"):
        read_graph(appended(spoilt.SerializeToString(), 7, graph))


def test_read_graph_that_holds_long_texts_is_refused() -> None:
    for place in ("doc_string", "producer_name"):
        spoilt = model()
        setattr(spoilt, place, "x" * (1 << 21))
        with pytest.raises(ValueError, match="longer names and notes than any network of Auscult's"):
            read_graph(spoilt.SerializeToString())


def test_read_graph_that_holds_what_nothing_uses_is_refused() -> None:
    spoilt = model()
    spoilt.graph.initializer.append(numpy_helper.from_array(np.zeros(4, np.float32), "d"))
    with pytest.raises(ValueError, match="a constant 'd' that nothing uses"):
        read_graph(spoilt.SerializeToString())
