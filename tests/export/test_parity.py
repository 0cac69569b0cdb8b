from __future__ import annotations

import copy
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from edge.errors import AuscultError
from export.parity import BOUNDS, Figures, check_bounds, feature_parity
from export.sound import Clip


@pytest.fixture(scope="session")
def figures(parameters: dict[str, NDArray[Any]], models: dict[str, bytes], clips: list[Clip]) -> Figures:
    return feature_parity(parameters, models["fp32"], models["int8"], clips[-1:])


def test_feature_parity_of_an_honest_export_is_within_bounds(figures: Figures) -> None:
    check_bounds(figures, "tiny")
    assert figures["int8_block_sizes"]["block4"]["largest_difference"] == 0.0
    assert 0.0 < figures["int8_streamed_vs_fp32"]["block2"]["relative_rms"] < 0.08


def test_feature_parity_with_one_weight_changed_is_out_of_bounds(
    parameters: dict[str, NDArray[Any]], models: dict[str, bytes], clips: list[Clip]
) -> None:
    model = onnx.load_from_string(models["fp32"])
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "block2_conv2_weight")
    changed = numpy_helper.to_array(weight).copy()
    changed[5, 3, 1, 1] += 0.05
    weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    figures = feature_parity(parameters, model.SerializeToString(), models["int8"], clips[-1:])
    with pytest.raises(AuscultError, match=r"fp32_offline_vs_torch\.block2\.largest_difference is .*, may be at most 0\.0001"):
        check_bounds(figures, "tiny")


@pytest.mark.parametrize(("comparison", "figure", "side", "bound"), BOUNDS)
@pytest.mark.parametrize("is_nan", [False, True])
def test_check_bounds_names_the_figure_and_exits_with_1(
    figures: Figures, comparison: str, figure: str, side: str, bound: float, is_nan: bool
) -> None:
    outside = copy.deepcopy(figures)
    outside[comparison]["block3"][figure] = np.nan if is_nan else bound + (0.01 if side == "most" else -0.01)
    with pytest.raises(AuscultError) as caught:
        check_bounds(outside, "tiny")
    assert str(caught.value).startswith(f"tiny: fails the parity gate: {comparison}.block3.{figure} is ")
    assert caught.value.exit_code == 1
