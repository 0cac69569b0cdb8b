from __future__ import annotations

import numpy as np
import pytest

from edge.errors import BackboneError
from export.sound import Clip
from export.streamed import StreamedGraph
from export.twin import fp32_twin


def test_fp32_twin_has_the_features_of_the_original(models: dict[str, bytes], clips: list[Clip]) -> None:
    log_mel = clips[0].log_mel[:160]
    twin = StreamedGraph(fp32_twin(models["int8"])).blocks(log_mel)
    for name, cells in StreamedGraph(models["fp32"]).blocks(log_mel).items():
        # Random weights lie on int8's grid, so only the rounded biases differ.
        np.testing.assert_allclose(twin[name], cells, rtol=0, atol=0.05)


def test_fp32_twin_of_an_fp32_graph_says_what_is_missing(models: dict[str, bytes]) -> None:
    with pytest.raises(BackboneError, match=r"mine\.onnx: has no block1_conv2_weight_steps; it is not an int8 backbone"):
        fp32_twin(models["fp32"].replace(b"block1_conv2_weight", b"block1_conv2_hidden"), "mine.onnx")
