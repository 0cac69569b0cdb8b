"""Networks that could do more than ours, or more of it, are refused before ONNX Runtime sees them."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge.features.backbone import BUILT_IN
from edge.features.onnx_file import read_graph
from edge.features.onnx_graph import MOST_OPERATORS, check_graph, needs_of


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
        (b"no network", "not ONNX"),
        (b"\x3a\xff\xff\xff\xff\x0f", "cut short"),
        (b"\x3a" + b"\xff" * 20, "not ONNX"),
    ],
)
def test_check_graph_refuses(model: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_graph(model)


def test_check_graph_finds_what_is_hidden_in_a_graph_within() -> None:
    inner = helper.make_graph([helper.make_node("Loop", ["x"], ["y"])], "inner", [], [])
    with pytest.raises(ValueError, match=r"a part \(field 6\) that Auscult never writes"):
        check_graph(model_of(helper.make_node("Something", ["x"], ["y"], body=inner)))


def test_check_graph_of_any_truncation_raises_nothing_else() -> None:
    content = model_of(helper.make_node("Add", ["x", "c"], ["y"]), constant=external())
    for length in range(len(content)):
        with contextlib.suppress(ValueError):
            check_graph(content[:length])


def chain(*nodes: NodeProto, shape: tuple[int, ...] = (4,)) -> bytes:
    """Operators from x, of that shape, to y of the same."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph(list(nodes), "g", values[:1], values[1:])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def test_check_graph_of_more_operators_than_any_of_ours_is_refused() -> None:
    names = ["x", *(f"v{number}" for number in range(MOST_OPERATORS)), "y"]
    nodes = [helper.make_node("Relu", [given], [made]) for given, made in pairwise(names)]
    with pytest.raises(ValueError, match="401 operators; at most 400 are allowed"):
        check_graph(chain(*nodes))


def test_check_graph_of_more_work_than_any_of_ours_is_refused() -> None:
    nodes = [helper.make_node("MatMul", [given, "x"], [made]) for given, made in pairwise(["x", "a", "b", "y"])]
    with pytest.raises(ValueError, match=r"needs 2\.4e\+10 multiplications at a time; at most 8e\+09 are allowed"):
        check_graph(chain(*nodes, shape=(2000, 2000)))


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([helper.make_node("Relu", ["y"], ["y"])], "the operator Relu before what makes its input 'y'"),
        ([helper.make_node("Relu", ["x"], ["x"])], "two values of the name 'x'"),
        ([helper.make_node("Relu", ["x"], ["z"])], "an output 'y' that nothing makes"),
        ([helper.make_node("ArgMin", ["x"], ["y"], axis=0, keepdims=0)], "an output 'y' that nothing makes"),
    ],
)
def test_check_graph_refuses_values_that_do_not_fit_together(nodes: list[NodeProto], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_graph(chain(*nodes))


def test_needs_of_what_is_used_once_is_the_larger_of_it_and_what_is_made_of_it() -> None:
    relus = [helper.make_node("Relu", [given], [made]) for given, made in pairwise(["x", "a", "b", "c", "y"])]
    content = chain(*relus, shape=(1 << 20,))
    needs = needs_of(read_graph(content), 0)
    assert needs.bytes == 4 * (4 << 20)  # x, one of a to y, the copy of y that is handed out, and what one operator makes
