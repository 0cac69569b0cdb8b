from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch
from torch import Tensor, nn

from edge.detectors.cfa import MEMBER, Cfa, softmin_weighted
from edge.detectors.detector import Parts
from edge.errors import BundleError
from edge.features.backbone import Features
from edge.features.feature_stream import FeatureBlock
from export.training.onnx_file import as_onnx

BANDS, CENTRES, DIMENSIONS = 3, 5, 4

Fitted = dict[str, dict[str, NDArray[Any]]]


class Layer(nn.Module):
    """Stands in for a trained descriptor."""

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(np.random.default_rng(5).standard_normal((896, dimensions)) / 30.0, dtype=torch.float32))

    def forward(self, cells: Tensor) -> Tensor:
        described: Tensor = cells @ self.weight
        return described


BLOB = as_onnx(Layer(), (8, BANDS, 896), "cells", "descriptors")


def arrays() -> Fitted:
    return {
        "spheres": {"centres": np.random.default_rng(0).standard_normal((BANDS, CENTRES, DIMENSIONS)).astype(np.float16)},
        "cfa": {"mean": 1.0 + np.arange(BANDS, dtype=np.float32), "deviation": np.full(BANDS, 0.5, np.float32)},
        "excess": {
            "mean": np.full((BANDS, 4), 3.0, np.float32),
            "deviation": np.full((BANDS, 4), 2.0, np.float32),
            "unit": np.ones(BANDS, np.float32),
        },
        "level": {
            "bank_0": np.array([[-30.0]], np.float16),
            "folds": np.array([1]),
            "mean": np.array([5.0], np.float32),
            "deviation": np.array([2.0], np.float32),
        },
    }


def parts() -> Parts:
    return Parts(arrays(), BANDS, {MEMBER: BLOB}, subject="pump.auscult")


def block(first_cell: int) -> FeatureBlock:
    rng = np.random.default_rng(1)
    features = Features(*(rng.standard_normal(shape).astype(np.float32) for shape in ((8, 16, 128), (4, 8, 256), (2, 4, 512))))
    return FeatureBlock(first_cell, np.zeros((36, 64), np.float32), np.arange(-30.0, -22.0, dtype=np.float32), features)


def test_softmin_weighted_of_distances_worked_out_by_hand() -> None:
    """Three alike share the weight; one that is far nearer than the others has all of it."""
    found = softmin_weighted(np.array([[2.0, 2.0, 2.0], [50.0, 1.0, 50.0], [0.0, 1.0, 2.0], [np.log(2), 0.0, np.log(4)]], np.float32))
    np.testing.assert_allclose(found, [2.0 / 3.0, 1.0, 0.0, 0.0], rtol=1e-6)
    shifted = softmin_weighted(np.array([1.0 + np.log(2), 1.0, 1.0 + np.log(4)], np.float32))
    assert shifted == pytest.approx(1.0 / (1 + 1 / 2 + 1 / 4))


def test_cfa_deviation_is_the_weighted_distance_of_the_descriptor_from_the_centres_of_its_band() -> None:
    heard = block(40)
    own, excess, level = Cfa(parts()).stream().push(heard, 1000)
    assert [(one.feature, one.first_cell, one.values.shape) for one in (own, excess, level)] == [
        ("cfa", 40, (8, BANDS)),
        ("excess", 40, (8, BANDS)),
        ("level", 40, (8, 1)),
    ]
    np.testing.assert_array_equal(excess.values, np.full((8, BANDS), -1.5))
    weight = Layer().weight.detach().numpy().astype(np.float64)
    centres = arrays()["spheres"]["centres"].astype(np.float64)
    for t in range(8):
        for band in range(BANDS):
            features = heard.features
            whole = np.concatenate([features.block2[t, band], features.block3[t // 2, band // 2], features.block4[t // 4, band // 4]])
            distances = np.sort(np.linalg.norm(centres[band] - whole @ weight, axis=1))[:3]
            score = np.exp(-distances[0]) / np.exp(-distances).sum() * distances[0]
            assert own.values[t, band] == pytest.approx((score - (1.0 + band)) / 0.5, rel=1e-3, abs=1e-4)
    np.testing.assert_allclose(level.values[:, 0], (heard.level_db + 30.0 - 5.0) / 2.0, atol=1e-5)


def test_cfa_cell_does_not_depend_on_how_many_of_its_block_are_real() -> None:
    detector = Cfa.load(parts())
    assert (detector.bands, dict(detector.features)) == (BANDS, {"cfa": BANDS, "excess": BANDS, "level": 1})
    whole, part = detector.stream().push(block(8), 100), detector.stream().push(block(8), 11)
    for one, other in zip(part, whole, strict=True):
        np.testing.assert_array_equal(one.values, other.values[:3])
    assert detector.stream().push(block(-8), 100) == detector.stream().push(block(16), 16) == []


def lose(*path: str) -> Callable[[Fitted], None]:
    def damage(fitted: Fitted) -> None:
        holder: Any = fitted
        for name in path[:-1]:
            holder = holder[name]
        del holder[path[-1]]

    return damage


def centres(array: NDArray[np.generic]) -> Callable[[Fitted], None]:
    def damage(fitted: Fitted) -> None:
        fitted["spheres"]["centres"] = array

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lose("spheres"),
        lose("spheres", "centres"),
        lose("cfa"),
        lose("cfa", "deviation"),
        centres(np.zeros((BANDS, 2, DIMENSIONS), np.float16)),  # fewer than a score is made of
        centres(np.zeros((BANDS + 1, CENTRES, DIMENSIONS), np.float16)),
        centres(np.zeros((BANDS, CENTRES, 0), np.float16)),
        centres(np.zeros((CENTRES, DIMENSIONS), np.float16)),
        centres(np.full((BANDS, CENTRES, DIMENSIONS), np.nan, np.float16)),
    ],
)
def test_cfa_arrays_that_do_not_belong_together_are_refused(damage: Callable[[Fitted], None]) -> None:
    fitted = arrays()
    damage(fitted)
    with pytest.raises((KeyError, ValueError)):
        Cfa.load(replace(parts(), arrays=fitted))


@pytest.mark.parametrize("dimensions", [DIMENSIONS + 1, 1])
def test_cfa_network_of_another_width_than_its_centres_is_refused_in_one_line(dimensions: int) -> None:
    blob = as_onnx(Layer(dimensions), (8, BANDS, 896), "cells", "descriptors")
    with pytest.raises(BundleError, match=r"^pump\.auscult: its network cfa\.onnx does not take") as refusal:
        Cfa.load(replace(parts(), blobs={MEMBER: blob}))
    assert "\n" not in str(refusal.value)


def test_cfa_without_its_network_is_refused() -> None:
    with pytest.raises(KeyError, match=r"cfa\.onnx"):
        Cfa.load(replace(parts(), blobs={}))
