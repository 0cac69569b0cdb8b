"""STFPM's map: by hand, against the published formula over a whole recording, and streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detectors.pyramid import LAG_CELLS, PyramidStream, bilinear, half_squared_distance
from edge.features.backbone import DEFAULT_BACKBONE, Backbone
from edge.features.card import Card
from edge.features.feature_stream import FeatureBlock, FeatureStream
from edge.features.frontend import PANNS

Float32 = NDArray[np.float32]
Parameters = dict[str, NDArray[Any]]

SAMPLES = 32000 * 4 + 4321
BLOCKS = {"block2": 1, "block3": 2, "block4": 4}  # fine cells in one of theirs


def test_half_squared_distance_by_hand() -> None:
    one = np.array([[[3.0, 4.0], [2.0, 0.0], [0.0, 5.0], [0.0, 0.0]]], np.float32)
    other = np.array([[[4.0, 3.0], [9.0, 0.0], [7.0, 0.0], [1.0, 1.0]]], np.float32)
    # 1 - 24 / 25; the same direction at any length; at right angles; no direction at all
    np.testing.assert_allclose(half_squared_distance(one, other), [[0.04, 0.0, 1.0, 0.5]], atol=1e-6)


def test_bilinear_by_hand() -> None:
    np.testing.assert_array_equal(bilinear(3, 1), np.eye(3))
    np.testing.assert_allclose(bilinear(4, 2), [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]])
    np.testing.assert_allclose(bilinear(8, 4)[:5, 1], [0.0, 0.0, 0.125, 0.375, 0.625])
    np.testing.assert_allclose(bilinear(8, 4).sum(axis=1), 1.0)
    np.testing.assert_array_equal(bilinear(4, 4), np.ones((4, 1)))


def random_trunk(seed: int) -> Parameters:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from export.architecture import SOURCES
    from export.checkpoint import generate_checkpoint
    from export.trunk import trunk_shapes

    model = generate_checkpoint(SOURCES["panns"], seed)["model"]
    return {name: model[name].numpy() for name in trunk_shapes()}


def fp32_backbone(parameters: Parameters) -> Backbone:
    from export.graph import build_graph
    from export.trunk import fold

    model = build_graph(fold(parameters), "fp32", name="test", front_end=PANNS.name).SerializeToString()
    digest = hashlib.sha256(model).hexdigest()
    return Backbone(
        model, Card(name="test", precision="fp32", front_end=PANNS.name, sha256=digest, training_data=[], licence="none"), "test"
    )


def sound(samples: int = SAMPLES) -> Float32:
    rng = np.random.default_rng(4)
    time_s = np.arange(samples) / 32000
    noise = 0.02 * rng.standard_normal(samples) * (1 + np.sin(9 * time_s))
    return np.asarray(noise + 0.05 * np.sin(2 * np.pi * 700 * time_s), np.float32)


def heard(teacher: Backbone, samples: Float32, cuts: list[int]) -> Iterator[FeatureBlock]:
    stream = FeatureStream(teacher, 16000.0)
    for part in np.split(samples, sorted(cuts)):
        yield from stream.push(part)
    yield from stream.finish()


def streamed(teacher: Backbone, student: Backbone, samples: Float32, cuts: list[int]) -> Float32:
    """The map of all cells from 0 on."""
    pyramid = PyramidStream(student)
    maps = [(block.first_cell - LAG_CELLS, pyramid.push(block)) for block in heard(teacher, samples, cuts)]
    assert [first for first, _ in maps] == list(range(-8 - LAG_CELLS, 8 * len(maps) - 8 - LAG_CELLS, 8))
    return np.concatenate([values for _, values in maps])[8 + LAG_CELLS :]


def test_pyramid_streamed_fp32_equals_torch_on_the_whole_recording() -> None:
    """Teacher and student by torch over all frames at once, distances and bilinear interpolation by torch: the published formula."""
    ours, theirs = random_trunk(1), random_trunk(2)
    teacher, student = fp32_backbone(ours), fp32_backbone(theirs)
    found = streamed(teacher, student, sound(), [])
    import torch
    from torch.nn.functional import interpolate, normalize

    from export.cnn14 import offline_blocks

    log_mel = np.concatenate([block.log_mel[2:-2].copy() for block in heard(teacher, sound(), [])])  # with a block of mirror before
    taught, learned = offline_blocks(ours, log_mel), offline_blocks(theirs, log_mel)
    expected = torch.ones(1)
    for name, factor in BLOCKS.items():
        one, other = (normalize(torch.from_numpy(blocks[name]), dim=-1) for blocks in (taught, learned))
        distance = 0.5 * (one - other).square().sum(dim=-1)  # (time, mel)
        expected = expected * interpolate(distance[None, None], scale_factor=factor, mode="bilinear", align_corners=False)[0, 0]
    inner = slice(24, 88)  # two blocks from either end
    expected = expected.pow(1 / 3)
    wanted = expected.numpy()[8:][inner]
    assert wanted.std() > 1e-3
    np.testing.assert_allclose(found[inner], wanted, rtol=0, atol=1e-4)
    for late in (-1, 1, 8):
        assert np.abs(found[inner] - expected.numpy()[8 + late :][inner]).max() > 10e-4  # no other cell would do


cuts_of_sound = st.lists(st.integers(0, SAMPLES), max_size=10)


@pytest.fixture(scope="module")
def int8() -> tuple[Backbone, Backbone]:
    return Backbone.load(DEFAULT_BACKBONE), Backbone.load("cnn14-random")


@settings(max_examples=10, deadline=None)
@given(cuts=cuts_of_sound)
def test_pyramid_int8_is_the_same_bit_for_bit_for_any_pushes(int8: tuple[Backbone, Backbone], cuts: list[int]) -> None:
    np.testing.assert_array_equal(streamed(*int8, sound(), cuts), streamed(*int8, sound(), []))


def test_pyramid_of_a_student_that_is_its_teacher_is_zero(int8: tuple[Backbone, Backbone]) -> None:
    """From the first cell to the last: both were pushed the same frames from the beginning."""
    teacher, other = int8
    assert streamed(teacher, teacher, sound(), []).max() == 0.0
    assert streamed(teacher, other, sound(), []).min() > 0.0


@pytest.mark.parametrize("samples", [3000, 10_240, 31_000])
def test_pyramid_short_segment_has_all_its_cells(int8: tuple[Backbone, Backbone], samples: int) -> None:
    found = streamed(*int8, sound(samples), [])
    assert len(found) >= (samples // 320 + 1) // 4
    assert np.isfinite(found).all()
