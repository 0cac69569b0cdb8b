"""The exactness contract: features streamed in blocks of any sizes equal the computation over the whole file."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.features.backbone import DEFAULT_BACKBONE, Backbone
from edge.features.card import Card
from edge.features.feature_stream import FeatureStream
from edge.features.frontend import PANNS, mels_below
from edge.features.level import MASKED_DB, REFERENCE_DB
from edge.features.logmel import offline_log_mel
from edge.features.logmel_backbone import LogMelBackbone

Float32 = NDArray[np.float32]

SAMPLES = 32000 * 4 + 4321
BLOCKS = ("block2", "block3", "block4")
FRAMES_OF = {"block2": 4, "block3": 8, "block4": 16}


@pytest.fixture(scope="module")
def parameters() -> dict[str, NDArray[Any]]:
    """A trunk with random weights and believable batch norms."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from export.architecture import SOURCES
    from export.checkpoint import generate_checkpoint
    from export.trunk import trunk_shapes

    model = generate_checkpoint(SOURCES["panns"], seed=1)["model"]
    return {name: model[name].numpy() for name in trunk_shapes()}


@pytest.fixture(scope="module")
def fp32(parameters: dict[str, NDArray[Any]]) -> Backbone:
    from export.graph import build_graph
    from export.trunk import fold

    model = build_graph(fold(parameters), "fp32", name="test", front_end=PANNS.name).SerializeToString()
    digest = hashlib.sha256(model).hexdigest()
    card = Card(name="test", precision="fp32", front_end=PANNS.name, sha256=digest, training_data=[], licence="none")
    return Backbone(model, card, "test")


@pytest.fixture(scope="module")
def int8() -> Backbone:
    return Backbone.load(DEFAULT_BACKBONE)


def sound(samples: int = SAMPLES) -> Float32:
    rng = np.random.default_rng(4)
    time_s = np.arange(samples) / 32000
    noise = 0.02 * rng.standard_normal(samples) * (1 + np.sin(9 * time_s))
    return np.asarray(noise + 0.05 * np.sin(2 * np.pi * 700 * time_s), np.float32)


def features(backbone: Backbone, samples: Float32, cuts: list[int], bandwidth_hz: float = 16000.0) -> tuple[dict[str, Float32], int]:
    """All cells from 0 to the end of the flush, and how many are real."""
    stream = FeatureStream(backbone, bandwidth_hz)
    parts: dict[str, list[Float32]] = {name: [] for name in (*BLOCKS, "log_mel", "level_db")}
    expected_cell = -8

    def take(blocks: Any) -> None:
        nonlocal expected_cell
        for block in blocks:
            assert block.first_cell == expected_cell
            expected_cell += 8
            if block.first_cell >= 0:
                for name in BLOCKS:
                    parts[name].append(getattr(block.features, name).copy())
                parts["log_mel"].append(block.log_mel[2:-2].copy())
                parts["level_db"].append(block.level_db.copy())

    for part in np.split(samples, sorted(cuts)):
        take(stream.push(part))
    take(stream.finish())
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}, stream.cells


def normalised_slowly(samples: Float32) -> Float32:
    """The level tracker in words: the mean of the first second, then of all blocks so far, then an exponential window of 10 s."""
    log_mel = offline_log_mel(samples, PANNS).astype(np.float64)
    level, heard = log_mel[:96].mean(), 3.0
    blocks = [log_mel[32:0:-1], *(log_mel[b : b + 32] for b in range(0, len(log_mel) // 32 * 32, 32))]  # the mirror image first
    out = []
    for block in blocks:
        heard = min(heard + 1, 10.0 / 0.32)
        level += (block.mean() - level) / heard
        out.append(block + REFERENCE_DB - level)
    return np.concatenate(out[1:]).astype(np.float32)


cuts_of_sound = st.lists(st.integers(0, SAMPLES), max_size=10)


@settings(max_examples=8, deadline=None)
@given(cuts=cuts_of_sound)
def test_features_streamed_fp32_equal_the_whole_file_computation(
    fp32: Backbone, parameters: dict[str, NDArray[Any]], cuts: list[int]
) -> None:
    from export.cnn14 import offline_blocks

    found, cells = features(fp32, sound(), cuts)
    log_mel = normalised_slowly(sound())
    offline = offline_blocks(parameters, log_mel)
    np.testing.assert_allclose(found["log_mel"][: len(log_mel)], log_mel, atol=1e-3)
    offline = offline_blocks(parameters, found["log_mel"][: len(log_mel)])
    for name, frames in FRAMES_OF.items():
        inner = slice(64 // frames, len(log_mel) // frames - 64 // frames)  # two blocks from the ends of the file
        assert len(offline[name][inner]) > 10
        assert np.abs(offline[name][inner]).max() > 0.1
        np.testing.assert_allclose(found[name][inner], offline[name][inner], rtol=0, atol=1e-4)
    assert cells == (SAMPLES // 320 + 1) // 4


@settings(max_examples=15, deadline=None)
@given(cuts=cuts_of_sound)
def test_features_int8_are_the_same_bit_for_bit_for_any_pushes(int8: Backbone, cuts: list[int]) -> None:
    found, cells = features(int8, sound(), cuts)
    expected, expected_cells = features(int8, sound(), [])
    assert cells == expected_cells
    for name, wanted in expected.items():
        np.testing.assert_array_equal(found[name], wanted)


def test_features_do_not_know_the_gain(int8: Backbone) -> None:
    soft, _ = features(int8, sound(), [])
    loud, _ = features(int8, sound() * np.float32(10 ** (12 / 20)), [])
    np.testing.assert_allclose(loud["log_mel"], soft["log_mel"], atol=1e-3)
    np.testing.assert_allclose(loud["level_db"], soft["level_db"] + 12.0, atol=1e-3)


def test_features_of_cells_lie_under_their_sound(int8: Backbone) -> None:
    samples = sound() * np.float32(0.1)
    at = 1280 * 57 + 640  # the middle of cell 57
    samples[at - 20 : at + 20] += np.float32(0.9)
    struck, _ = features(int8, samples, [])
    calm, _ = features(int8, sound() * np.float32(0.1), [])
    for name, frames in FRAMES_OF.items():
        moved = np.abs(struck[name] - calm[name]).sum(axis=(1, 2))
        assert abs(int(moved.argmax()) - 57 * 4 // frames) <= (1 if name == "block2" else 0)
    assert struck["level_db"].argmax() in (56, 57, 58)


@pytest.mark.parametrize("samples", [0, 1, 300, 320, 640, 3000, 8000, 10_239, 10_240, 20_480, 30_720, 31_000, 41_000])
def test_features_short_segment_has_all_its_cells(int8: Backbone, samples: int) -> None:
    stream = FeatureStream(int8, 16000.0)
    blocks = [(block.first_cell, np.isfinite(block.features.block2).all()) for block in (*stream.push(sound(samples)), *stream.finish())]
    frames = samples // 320 + 1 if samples > 1 else 0
    assert stream.cells == frames // 4
    assert all(finite for _, finite in blocks)
    if stream.cells:
        assert blocks[0][0] == -8
        assert blocks[-1][0] + 8 > stream.cells  # one more than the cells, for their right-hand neighbours


def test_features_bands_above_the_bandwidth_are_masked(int8: Backbone) -> None:
    found, _ = features(int8, sound(), [], bandwidth_hz=8000.0)
    mels = mels_below(PANNS, 8000.0)
    assert (found["log_mel"][:, mels:] == MASKED_DB).all()
    assert (found["log_mel"][:, :mels] != MASKED_DB).all()


def test_features_block_shows_the_frames_around_it(int8: Backbone) -> None:
    stream = FeatureStream(int8, 16000.0)
    shown = [block.log_mel.copy() for block in stream.push(sound())]
    assert shown[0].shape == (36, 64)
    for before, after in pairwise(shown):
        np.testing.assert_array_equal(before[-4:], after[:4])


def test_features_frames_ahead_are_those_that_the_backbone_was_pushed_last(int8: Backbone) -> None:
    """A second stream that is pushed them, and the first block's own before, says the same of the same cells."""
    second = int8.stream()
    stream = FeatureStream(int8, 16000.0)
    behind = None
    for pushed in (stream.push(sound()), stream.finish()):
        for block in pushed:
            if behind is None:
                second.push(block.log_mel[2:-2])
            else:
                np.testing.assert_array_equal(block.log_mel[2:-2], behind)
            features = second.push(block.ahead)
            behind = block.ahead.copy()
            for name in BLOCKS:
                np.testing.assert_array_equal(getattr(features, name), getattr(block.features, name))


@pytest.mark.parametrize("lag_blocks", [0, 1, 4])
def test_feature_stream_end_is_flushed_by_as_much_as_the_detector_lags(lag_blocks: int) -> None:
    """A segment of 100 cells: the last real ones are in block 12, and a detector sees as many blocks after it as it waits for."""
    stream = FeatureStream(LogMelBackbone(), 16000.0, lag_blocks=lag_blocks)
    samples = sound(400 * 320 - 1)
    firsts = [block.first_cell for block in [*stream.push(samples), *stream.finish()]]
    assert stream.cells == 100
    assert firsts == list(range(-8, 8 * (12 + lag_blocks) + 1, 8))
