from __future__ import annotations

import hashlib
import json
import logging
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import BackboneError
from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE, Backbone
from edge.features.card import read_card
from edge.features.runtime import PROVIDERS

Float32 = NDArray[np.float32]


@pytest.fixture(scope="module")
def built_in() -> Backbone:
    return Backbone.load(DEFAULT_BACKBONE)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The built-in backbone as an exported one, with its card beside it."""
    for suffix in (".onnx", ".json"):
        shutil.copy(BUILT_IN / f"{DEFAULT_BACKBONE}{suffix}", tmp_path / f"mine{suffix}")
    return tmp_path / "mine.onnx"


def noise_blocks(count: int) -> Float32:
    return (-20.0 + 6.0 * np.random.default_rng(5).standard_normal((count, 32, 64))).astype(np.float32)


def test_backbone_built_in_is_int8_and_has_a_card(built_in: Backbone) -> None:
    assert built_in.precision == "int8"
    assert built_in.front_end.name == "panns-32k"
    assert built_in.card.licence
    assert built_in.card.training_data


def test_backbone_exported_file_is_loaded_by_path(copied: Path, built_in: Backbone) -> None:
    assert Backbone.load(copied).sha256 == built_in.sha256


def test_backbone_sent_to_another_process_is_loaded_there_from_the_same_file_or_not_at_all(copied: Path, built_in: Backbone) -> None:
    content = pickle.dumps(Backbone.load(copied))
    assert len(content) < 1000
    again = pickle.loads(content)
    assert (again.sha256, again.front_end) == (built_in.sha256, built_in.front_end)
    other = BUILT_IN / "cnn14-random.onnx"
    for suffix in (".onnx", ".json"):
        shutil.copyfile(other.with_suffix(suffix), copied.with_suffix(suffix))
    with pytest.raises(BackboneError, match="was replaced while it was in use"):
        pickle.loads(content)
    with pytest.raises(TypeError, match="loaded from a file"):
        pickle.dumps(Backbone(other.read_bytes(), read_card(other.with_suffix(".json")), "of a bundle"))


def test_backbone_streams_do_not_disturb_each_other(built_in: Backbone) -> None:
    blocks = noise_blocks(6)
    alone, first, second = built_in.stream(), built_in.stream(), built_in.stream()
    expected = [alone.push(block).block4.copy() for block in blocks]
    for block, wanted in zip(blocks, expected, strict=True):
        second.push(np.zeros((32, 64), np.float32))
        np.testing.assert_array_equal(first.push(block).block4, wanted)


def test_backbone_impulse_appears_one_block_later_in_the_right_cells_of_every_block(built_in: Backbone) -> None:
    quiet = np.full((10 * 32, 64), -20.0, np.float32)
    frame = 5 * 32 + 14  # cell 43 of 4 frames, 21 of 8, 10 of 16
    struck = quiet.copy()
    struck[frame - 1 : frame + 2] += 30.0

    def features(log_mel: Float32) -> list[Float32]:
        stream = built_in.stream()
        pushed = [stream.push(block) for block in log_mel.reshape(-1, 32, 64)]
        assert all(one is pushed[0] for one in pushed)  # views of the same buffers
        stream = built_in.stream()
        parts = []
        for block in log_mel.reshape(-1, 32, 64):
            found = stream.push(block)
            parts.append((found.block2.copy(), found.block3.copy(), found.block4.copy()))
        return [np.concatenate(cells)[len(cells[0]) :] for cells in zip(*parts, strict=True)]  # the first block is the lag

    for name, calm, hit in zip((4, 8, 16), features(quiet), features(struck), strict=True):
        moved = np.abs(hit - calm).sum(axis=(1, 2))  # (cell,)
        assert moved.argmax() == frame // name
        centre = float((moved * (np.arange(len(moved)) + 0.5)).sum() / moved.sum()) * name
        assert centre == pytest.approx(frame + 0.5, abs=0.6 * name)


def test_backbone_low_and_high_bands_keep_their_order(built_in: Backbone) -> None:
    def features(low: int, gain_db: float = 30.0) -> Float32:
        log_mel = np.full((4 * 32, 64), -20.0, np.float32)
        log_mel[:, low : low + 4] += np.float32(gain_db)
        stream = built_in.stream()
        for block in log_mel.reshape(-1, 32, 64):
            stream.push(block)
        middle: Float32 = stream.features.block2[4].copy()  # (mel, channel)
        return middle

    flat = features(0, gain_db=0.0)
    for low in (0, 8, 24, 52, 60):
        moved = np.abs(features(low) - flat).sum(axis=1)  # (mel,)
        centre = float((moved * np.arange(16)).sum() / moved.sum())
        assert centre == pytest.approx(low / 4, abs=0.75)


def test_backbone_provider_that_is_missing_falls_back_with_one_clear_message(caplog: pytest.LogCaptureFixture) -> None:
    import onnxruntime as ort

    if PROVIDERS["tensorrt"] in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has TensorRT")
    with caplog.at_level(logging.WARNING):
        backbone = Backbone.load(DEFAULT_BACKBONE, providers=("tensorrt", "cpu"))
    assert backbone.session.get_providers() == ["CPUExecutionProvider"]
    (record,) = caplog.records
    assert "tensorrt is not in this ONNX Runtime" in record.getMessage()
    assert "inference.providers: [cpu]" in record.getMessage()


def refused(path: Path | str) -> str:
    with pytest.raises(BackboneError) as caught:
        Backbone.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path).removesuffix(".onnx") in message
    return message


def test_backbone_unknown_name_lists_the_built_in_ones() -> None:
    assert "built in are: cnn14-distilled, cnn14-random" in refused("cnn15")


def test_backbone_missing_file_says_so(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "mine.onnx")


def test_backbone_missing_card_names_the_card(copied: Path) -> None:
    copied.with_suffix(".json").unlink()
    assert "mine.json: cannot be read" in refused(copied)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"schema": 1}', b"\xff\xfe"])
def test_backbone_damaged_card_is_refused(copied: Path, content: bytes) -> None:
    copied.with_suffix(".json").write_bytes(content)
    assert "is not a backbone's card" in refused(copied)


def change_card(path: Path, **fields: object) -> None:
    card = path.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | fields))


def test_backbone_card_of_a_newer_schema_is_refused(copied: Path) -> None:
    change_card(copied, schema=2)
    assert "upgrade Auscult" in refused(copied)


def test_backbone_card_with_an_unknown_front_end_is_refused(copied: Path) -> None:
    change_card(copied, front_end="vggish")
    with pytest.raises(Exception, match="vggish"):
        Backbone.load(copied)


def test_backbone_truncated_model_does_not_match_its_card(copied: Path) -> None:
    copied.write_bytes(copied.read_bytes()[:-1000])
    assert "does not match the sha256 on its card" in refused(copied)


def test_backbone_that_is_no_onnx_is_refused(copied: Path) -> None:
    copied.write_bytes(b"not a network at all")
    change_card(copied, sha256=hashlib.sha256(copied.read_bytes()).hexdigest())
    assert "holds bytes that are not ONNX" in refused(copied)


def test_backbone_of_another_shape_is_refused(copied: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    names = ("block2", "block3", "block4")
    nodes = [onnx.helper.make_node("Identity", ["log_mel"], [name]) for name in names]
    shape = [1, 1, "frames", 64]
    graph = onnx.helper.make_graph(nodes, "other", [value("log_mel", 1, shape)], [value(name, 1, shape) for name in names])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    copied.write_bytes(model.SerializeToString())
    change_card(copied, sha256=hashlib.sha256(copied.read_bytes()).hexdigest())
    assert "is not a streaming CNN14 graph" in refused(copied)
