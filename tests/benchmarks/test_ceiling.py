from __future__ import annotations

import base64

import numpy as np
import pytest

from benchmarks.ceiling import MATRIX_PRODUCT, Gemm, trunk_gflop_per_s
from edge.features.backbone import DEFAULT_BACKBONE, Backbone


def test_gemm_by_both_is_the_same_product() -> None:
    gemm = Gemm(size=64)
    assert gemm.by_numpy() == pytest.approx(gemm.by_onnxruntime(), abs=1e-4)


def test_gemm_speed_is_that_of_a_processor() -> None:
    assert 0.1 < Gemm(size=256).gflops() < 10_000


def test_matrix_product_is_the_model_that_onnx_makes() -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra [export]")
    make = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [make("a", onnx.TensorProto.FLOAT, ["m", "k"]), make("b", onnx.TensorProto.FLOAT, ["k", "n"])],
        [make("c", onnx.TensorProto.FLOAT, ["m", "n"])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    assert base64.b64decode(MATRIX_PRODUCT) == model.SerializeToString()


def test_trunk_gflop_per_s_is_that_of_the_papers_architecture() -> None:
    """CNN14's blocks by hand: 3x3 convolutions, twice per block, half the frames and half the bands after each block."""
    frames_per_s, mel = 100.0, 64
    flop = 0.0
    for channels_in, channels in ((1, 64), (64, 128), (128, 256), (256, 512)):
        flop += 2 * 9 * (channels_in * channels + channels * channels) * mel * frames_per_s
        frames_per_s, mel = frames_per_s / 2, mel // 2
    assert trunk_gflop_per_s(Backbone.load(DEFAULT_BACKBONE).session, 100.0) == pytest.approx(flop / 1e9)
    assert np.isclose(flop / 1e9, 2.6, atol=0.1)
