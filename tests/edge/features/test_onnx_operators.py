"""The rules for the operators of networks say what ONNX Runtime does, and take nothing that they do not know."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from edge.features.onnx_graph import check_graph
from tests.fuzz.largest import CASES, FORMS, network


@pytest.mark.parametrize("operator", CASES)
@pytest.mark.parametrize("n", [1, 6])
def test_rule_foretells_the_shape_that_onnx_runtime_makes(operator: str, n: int) -> None:
    model = network(CASES[operator], operator, FORMS[0], n)
    graph = check_graph(model)  # which compares what is declared with what the rule says
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    zeros = {value.name: np.zeros([length or 1 for length in value.shape], value.kind.dtype) for value in graph.inputs}
    (made,) = session.run(None, zeros)
    assert (made.shape, made.dtype) == (graph.outputs[0].shape, graph.outputs[0].kind.dtype)


def one_operator(operator: str, *shapes: tuple[int, ...], gives: tuple[int, ...] = (1,), **attributes: object) -> bytes:
    """A network of it, all of whose inputs are given."""
    names = [f"x{place}" for place in range(len(shapes))]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip(names, shapes, strict=True)]
    node = helper.make_node(operator, names, ["y"], **attributes)  # type: ignore[arg-type]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, gives)])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (one_operator("Relu", (4,), alpha=1.0), "the operator Relu with a 'alpha' that Auscult never writes"),
        (one_operator("Relu", (4,), (4,)), "as many inputs or outputs as Auscult never writes"),
        (one_operator("Add", (4,), (3,)), "the operator Add with inputs or attributes that do not fit"),
        (one_operator("MatMul", (4,), (4,)), "the operator MatMul with inputs or attributes that do not fit"),
        (one_operator("MatMul", (2, 3), (4, 2)), "do not fit"),
        (one_operator("Slice", (4,), (1,), (1,), (1,)), "do not fit"),  # where it cuts is computed
        (one_operator("Resize", (1, 1, 2, 2), (4,), (4,)), "as many inputs"),
        (one_operator("Conv", (1, 1, 9, 9), (1, 1, 5, 5), kernel_shape=[5, 5]), "do not fit"),
        (one_operator("Conv", (1, 1, 9, 9), (1, 1, 3, 3), kernel_shape=[3, 3], pads=[0, 0, 3, 0]), "do not fit"),
        (one_operator("Conv", (1, 1, 9, 9), (1, 1, 3, 3), kernel_shape=[3, 3], dilations=[2, 2]), "with a 'dilations'"),
        (one_operator("Conv", (1, 1, 2, 2), (1, 1, 3, 3), kernel_shape=[3, 3]), "leaves nothing"),
        (one_operator("Conv", (1, 1, 9, 9), (1, 1, 3, 3), kernel_shape=[3, 3], auto_pad="SAME_UPPER"), "with a 'auto_pad'"),
        (one_operator("MaxPool", (1, 1, 9, 9), kernel_shape=[2, 2], ceil_mode=1), "with a 'ceil_mode'"),
        (one_operator("Transpose", (2, 3), perm=[0, 0]), "do not fit"),
        (one_operator("Concat", (2, 3), (3, 3), axis=1), "do not fit"),
        (one_operator("Relu", (5,), gives=(4,)), "an output 'y' of another shape than is made"),
    ],
)
def test_rule_refuses_what_it_does_not_know(model: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_graph(model)
