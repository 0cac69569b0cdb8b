"""What is mutated: two small bundles that load and score, a configuration, and sound; made here, so that nothing binary is kept."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import warnings
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundles.bundle import MANIFEST, write_bundle
from edge.features.backbone import BLOCK_SHAPES, Backbone
from edge.features.card import decode_card
from edge.features.logmel_backbone import LOGMEL, LogMelBackbone
from edge.model import probe_cells

Members = dict[str, bytes]

BANDS = 16
STACKS, STACK_LENGTH = 36, 320  # what the autoencoder takes: stacks of five frames, of 64 mels
CONFIG = """\
node: workshop
mqtt:
  host: localhost
  tls: {enabled: false}
  username: auscult
  password_env: AUSCULT_PASSWORD
sources:
  pump1:
    bundle: pump1.auscult
    files: {paths: [.], realtime: true}
  line2:
    bundle: &b line2.auscult
    stdin: {rate_hz: 32000, channels: 2, format: s16le, channel: mix}
  usb3:
    bundle: *b
    microphone: {device: USB, rate_hz: 48000, channel: 0}
inference: {providers: [cpu], threads: 1}
events: {minimum_duration_s: 0.5, cooldown_s: 5}
outbox: {capacity_mb: 50, keep_days: 30}
health: {interval_s: 60}
log: {level: info}
"""


@lru_cache(maxsize=1)
def bundles() -> tuple[Members, ...]:
    """The members of each bundle, by name."""
    scale = {"onset": 1.0, "scale": 0.5, "centre": 0.0, "cells": 250}
    level = {
        "bank_0": np.array([[-50.0], [-40.0]], np.float16),
        "folds": np.array([1, 1]),
        "mean": np.zeros(1, np.float32),
        "deviation": np.ones(1, np.float32),
    }
    plain = {"mean": np.zeros(BANDS, np.float32), "deviation": np.ones(BANDS, np.float32)}
    excess = {"mean": np.zeros((BANDS, 4), np.float32), "deviation": np.ones((BANDS, 4), np.float32), "unit": np.ones(BANDS, np.float32)}
    patches = np.linspace(-90, 0, 4 * 32, dtype=np.float16).reshape(4, 32)
    banks = {"bank_0": patches, "spacing_0": np.ones((2, 4), np.float16), "folds": np.array([2, 2]), **plain}
    backbone = tiny_backbone()
    card: dict[str, Any] = {"name": "tiny", "precision": "fp32", "front_end": "panns-32k", "sha256": hashlib.sha256(backbone).hexdigest()}
    card |= {"training_data": [], "licence": "CC0-1.0"}
    rng = np.random.default_rng(0)
    projection = {name: rng.standard_normal((shape[2], 4)).astype(np.float16) for name, shape in BLOCK_SHAPES.items()}
    cnn14 = {"bank_0": np.zeros((4, 4), np.float16), "folds": np.array([2, 2]), **plain}
    return (
        _members("patchcore", ("cnn14", "logmel", "excess"), scale,
                 {"projection": projection, "cnn14": cnn14, "logmel": banks, "excess": excess, "level": level},
                 {"backbone.onnx": backbone, "backbone.json": json.dumps(card).encode()}, {"name": "tiny", "sha256": card["sha256"]}),
        _members("autoencoder", ("autoencoder",), scale, {"autoencoder": plain, "level": level},
                 {"autoencoder.onnx": tiny_network()}, {"name": LOGMEL, "sha256": LogMelBackbone.sha256}),
    )  # fmt: skip


def _members(
    detector: str,
    features: tuple[str, ...],
    scale: dict[str, float],
    arrays: dict[str, dict[str, NDArray[Any]]],
    blobs: Members,
    backbone: dict[str, str],
) -> Members:
    names = [f"{feature}_{kind}" for feature in features for kind in ("moment", "sustained", "cell", "second")]
    tail = {"onset": 2.0, "rate_per_s": 0.1, "scale": 1.0, "shape": 0.1}
    heads = dict.fromkeys([*names, "level"], scale)
    manifest = {
        "created_at": "2026-11-20T10:00:00Z",
        "auscult_version": "0.1.0",
        "front_end": "panns-32k",
        "sample_rate_hz": 32000,
        "bandwidth_hz": 16000.0,
        "backbone": {"precision": "fp32", **backbone},
        "detector": {"name": detector, "parameters": {"tail": tail, "heads": heads, "mode": "stream", "window_s": 2.0, "hop_s": 0.5}},
        "threshold": {"false_alarms_per_week": 1.0, "supported_false_alarms_per_week": 12.0, "score_scale": 2.5, "note": ""},
        "data": {"recordings": 1, "seconds": 60.0, "sources": ["a.wav"], "dropped": []},
    }
    if detector == "patchcore":
        samples = np.zeros(16000, np.float16)
        tiny = Backbone(blobs["backbone.onnx"], decode_card(blobs["backbone.json"], "tiny"), "tiny")
        probe = {"samples": samples, "cells": probe_cells(tiny, 16000.0, samples.astype(np.float32)).astype(np.float16)}
        arrays = {**arrays, "probe": probe}
        manifest["probe"] = {"members": ["probe"], "tolerance": 1e9}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.auscult"
        write_bundle(path, manifest, arrays, blobs)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def packed(members: list[tuple[str, bytes]], *, relist: bool = True, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A bundle of these members with the digests and the seal that belong to them, as somebody makes it who knows how."""
    if relist:
        members = _relisted(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
        archive.comment = b"auscult-sha256:" + b"0" * 64
    return resealed(file.getvalue())


def resealed(content: bytes) -> bytes:
    """With the seal that belongs to what is before it."""
    return content[:-64] + hashlib.sha256(content[:-64]).hexdigest().encode()


def _relisted(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """With a manifest that lists the others as they are; one that is no JSON stays as it is."""
    others = {name: hashlib.sha256(content).hexdigest() for name, content in members if name != MANIFEST}
    result = []
    for name, content in members:
        if name == MANIFEST:
            try:
                head = json.loads(content)
                content = json.dumps({**head, "members": others}).encode()
            except (ValueError, TypeError, RecursionError):
                pass
        result.append((name, content))
    return result


def tiny_network() -> bytes:
    """A network that gives back what it takes, in the autoencoder's shape."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [STACKS, STACK_LENGTH]) for name in ("stacks", "again")]
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    graph = helper.make_graph([helper.make_node("Mul", ["stacks", "one"], ["again"])], "tiny", value[:1], value[1:], [one])
    return _model(graph)


def tiny_backbone() -> bytes:
    """A graph with the inputs and outputs of a streaming CNN14, and next to nothing inside."""
    inputs = [
        helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, [1, 1, 32, 64]),
        helper.make_tensor_value_info("state_a", TensorProto.FLOAT, [1, 2, 64]),
    ]
    outputs = [helper.make_tensor_value_info("next_a", TensorProto.FLOAT, [1, 2, 64])]
    nodes = [
        helper.make_node("Identity", ["state_a"], ["next_a"]),
        helper.make_node("ReduceSum", ["log_mel", "all_axes"], ["sum"], keepdims=0),
    ]
    constants = [numpy_helper.from_array(np.arange(4, dtype=np.int64), "all_axes")]
    for name, shape in BLOCK_SHAPES.items():
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
        constants.append(numpy_helper.from_array(np.zeros((*shape[:2], 1), np.float32), f"{name}_cells"))
        constants.append(numpy_helper.from_array(np.zeros(shape[2:], np.float32), f"{name}_channels"))
        nodes.append(helper.make_node("Add", ["sum", f"{name}_cells"], [f"{name}_wide"]))
        nodes.append(helper.make_node("Add", [f"{name}_wide", f"{name}_channels"], [name]))
    return _model(helper.make_graph(nodes, "tiny", inputs, outputs, constants))


def _model(graph: Any) -> bytes:
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


@lru_cache(maxsize=1)
def sounds() -> dict[str, bytes]:
    """Suffix -> a quarter of a second in that format."""
    samples = 0.1 * np.random.default_rng(0).standard_normal((4000, 2))
    made = {}
    for suffix, form, subtype in (
        (".wav", "WAV", "PCM_16"), (".WAV", "WAVEX", "FLOAT"), (".flac", "FLAC", "PCM_16"), (".ogg", "OGG", "VORBIS"),
        (".w64", "W64", "PCM_24"), (".rf64", "RF64", "PCM_16"), (".aiff", "AIFF", "PCM_16"), (".adpcm", "WAV", "IMA_ADPCM"),
    ):  # fmt: skip
        file = io.BytesIO()
        soundfile.write(file, samples, 16000, format=form, subtype=subtype)
        made[suffix] = file.getvalue()
    return made
