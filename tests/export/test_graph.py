from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.features.backbone import Backbone
from edge.features.card import Card
from edge.features.frontend import BLOCK_FRAMES
from export.cnn14 import offline_blocks
from export.sound import Clip
from export.streamed import StreamedGraph

FRAMES = 10 * BLOCK_FRAMES
PRECISIONS = ("fp32", "int8")


@pytest.fixture(scope="session")
def graphs(models: dict[str, bytes]) -> dict[str, StreamedGraph]:
    return {precision: StreamedGraph(model) for precision, model in models.items()}


@pytest.fixture(scope="session")
def log_mel(clips: list[Clip]) -> NDArray[np.float32]:
    return clips[0].log_mel[:FRAMES]


def test_fp32_graph_streamed_equals_torch_away_from_the_ends(
    graphs: dict[str, StreamedGraph], parameters: dict[str, NDArray[Any]], log_mel: NDArray[np.float32]
) -> None:
    offline = offline_blocks(parameters, log_mel)
    for name, cells in graphs["fp32"].blocks(log_mel).items():
        assert cells.shape == (offline[name].shape[0] - 2, *offline[name].shape[1:])
        np.testing.assert_allclose(cells[2:], offline[name][2:-2], rtol=0, atol=1e-4)


@pytest.mark.parametrize("precision", PRECISIONS)
@settings(max_examples=8, deadline=None)
@given(sizes=st.lists(st.sampled_from([16, 32, 48, 160]), min_size=1, max_size=6))
def test_graph_any_block_sizes_equal_bit_for_bit(
    graphs: dict[str, StreamedGraph], log_mel: NDArray[np.float32], precision: str, sizes: list[int]
) -> None:
    graph = graphs[precision]
    usual = graph.blocks(log_mel)
    for name, cells in graph.blocks(log_mel, tuple(sizes)).items():
        np.testing.assert_array_equal(cells, usual[name])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_graph_through_edge_equals_the_room_s_own_streaming(
    models: dict[str, bytes], graphs: dict[str, StreamedGraph], log_mel: NDArray[np.float32], precision: str
) -> None:
    model = models[precision]
    sha256 = hashlib.sha256(model).hexdigest()
    card = Card(name="tiny", precision=precision, front_end="panns-32k", sha256=sha256, training_data=[], licence="")
    stream = Backbone(model, card, "tiny").stream()
    pushed = [stream.push(log_mel[start : start + BLOCK_FRAMES]) for start in range(0, FRAMES, BLOCK_FRAMES)][-1]
    aligned = graphs[precision].blocks(log_mel)
    np.testing.assert_array_equal(pushed.block2, aligned["block2"][-8 - 6 : -6])
    np.testing.assert_array_equal(pushed.block3, aligned["block3"][-4 - 2 : -2])
    np.testing.assert_array_equal(pushed.block4, aligned["block4"][-2:])


def test_int8_graph_in_onnx_runtime_becomes_integer_convolutions(models: dict[str, bytes], tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(models["int8"], options, providers=["CPUExecutionProvider"])
    operators = Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    assert operators["QLinearConv"] == 7 + 4  # seven of the eight convolutions, and the pools
    assert operators["Conv"] == 1
    assert operators["QuantizeLinear"] == 1
    assert operators["DequantizeLinear"] == 3  # the outputs


def test_int8_graph_states_are_uint8_but_the_first(models: dict[str, bytes]) -> None:
    model = onnx.load_from_string(models["int8"])
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    assert types.pop("log_mel") == types.pop("state_block1_conv1") == onnx.TensorProto.FLOAT
    assert set(types.values()) == {onnx.TensorProto.UINT8}
    assert {value.name.replace("next_", "state_") for value in model.graph.output if value.name.startswith("next_")} == {
        *types,
        "state_block1_conv1",
    }


@pytest.mark.parametrize("precision", PRECISIONS)
def test_graph_metadata_says_what_it_is(models: dict[str, bytes], precision: str) -> None:
    model = onnx.load_from_string(models[precision])
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about == {"auscult.name": "tiny", "auscult.precision": precision, "auscult.front_end": "panns-32k"}
    assert model.ir_version == 9
    assert [entry.version for entry in model.opset_import] == [17]
