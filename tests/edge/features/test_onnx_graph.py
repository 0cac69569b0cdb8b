"""Networks that could do more than ours, or more of it, are refused before ONNX Runtime sees them."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge.features.backbone import BUILT_IN
from edge.features.onnx_graph import check_graph


def model_of(*nodes: NodeProto, constant: TensorProto | None = None) -> bytes:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
    graph = helper.make_graph(list(nodes), "g", values[:1], values[1:], [constant] if constant is not None else [])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def external() -> TensorProto:
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "c")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def test_check_graph_lets_the_built_in_backbones_pass() -> None:
    for path in BUILT_IN.glob("*.onnx"):
        check_graph(path.read_bytes())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (model_of(helper.make_node("Add", ["x", "c"], ["y"]), constant=external()), "weights in another file"),
        (model_of(helper.make_node("Constant", [], ["y"], value=external())), "weights in another file"),
        (model_of(helper.make_node("ConstantOfShape", ["x"], ["y"])), "the operator 'ConstantOfShape'"),
        (model_of(helper.make_node("Call", ["x"], ["y"], domain="evil")), "the operator 'Call' of the domain 'evil'"),
        (b"no network", "no ONNX"),
        (b"\x3a\xff\xff\xff\xff\x0f", "cut short"),
        (b"\x3a" + b"\xff" * 20, "no ONNX"),
    ],
)
def test_check_graph_refuses(model: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_graph(model)


def test_check_graph_finds_what_is_hidden_in_a_graph_within() -> None:
    inner = helper.make_graph([helper.make_node("Loop", ["x"], ["y"])], "inner", [], [])
    with pytest.raises(ValueError, match="an attribute 'body' of a type"):
        check_graph(model_of(helper.make_node("Something", ["x"], ["y"], body=inner)))


def test_check_graph_of_any_truncation_raises_nothing_else() -> None:
    content = model_of(helper.make_node("Add", ["x", "c"], ["y"]), constant=external())
    for length in range(len(content)):
        with contextlib.suppress(ValueError):
            check_graph(content[:length])
