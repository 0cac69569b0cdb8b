from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cost import RunningMachine, make_bundle
from benchmarks.fp32 import fp32_backbone
from benchmarks.memory import peak_rss_mb
from benchmarks.trunk import NaiveTrunk, StreamedTrunk, machine_log_mel
from edge.console.cli import run_command
from edge.errors import BackboneError, UserError
from edge.features.backbone import DEFAULT_BACKBONE, Backbone
from edge.model import Model

FIXED_KEYS = {
    "naive_ms_per_s",
    "streamed_fp32_ms_per_s",
    "streamed_int8_ms_per_s",
    "pipeline_ms_per_s",
    "stages_ms_per_s",
    "peak_rss_mb",
    "gemm_gflops",
}
STAGES = {"resample", "log_mel", "level", "backbone", "detector", "averages", "look", "window", "rest"}


@pytest.fixture(scope="module")
def int8() -> Backbone:
    return Backbone.load(DEFAULT_BACKBONE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cost")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    return make_bundle(folder, DEFAULT_BACKBONE, coreset=50, seed=0)


def test_trunk_streamed_costs_a_small_part_of_sliding_windows(int8: Backbone) -> None:
    log_mel = machine_log_mel(int8, 11.0, seed=0)
    assert log_mel.shape == (len(log_mel), 64)
    assert len(log_mel) >= 992
    naive, streamed = NaiveTrunk(int8), StreamedTrunk(int8)
    assert naive.ms_per_s(log_mel) > 4 * min(streamed.ms_per_s(log_mel) for _ in range(3))


def test_running_machine_stages_add_up_to_the_whole(bundle: Path) -> None:
    machine = RunningMachine(Model.load(bundle), seed=0)
    total_ms = machine.ms_per_s()
    assert set(machine.stages_ms_per_s) == STAGES
    assert sum(values[0] for values in machine.stages_ms_per_s.values()) == pytest.approx(total_ms)
    assert 0 < total_ms < 1000


def test_peak_rss_of_the_daemon_is_its_own_not_ours(bundle: Path, folder: Path, tmp_path: Path) -> None:
    ours = np.ones(500_000_000, np.uint8)  # what getrusage would have counted as the child's
    peak_mb = peak_rss_mb(bundle, folder / "normal0.wav", tmp_path)
    assert 30 < peak_mb < 450
    assert ours[-1] == 1


def test_fp32_backbone_that_is_int8_is_refused(int8: Backbone, tmp_path: Path) -> None:
    built_in = Path(__file__).resolve().parents[2] / "edge" / "backbones" / f"{DEFAULT_BACKBONE}.onnx"
    with pytest.raises(BackboneError, match="is int8 for panns-32k; give the fp32 form of cnn14-distilled"):
        fp32_backbone(int8, DEFAULT_BACKBONE, built_in, tmp_path)


@pytest.mark.slow
def test_cost_command_in_json_has_the_fixed_keys(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="needs the extra [export]")
    arguments = ["cost", "--repeats", "1", "--coreset", "50", "--format", "json"]
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result.keys() >= FIXED_KEYS
    assert set(result["stages_ms_per_s"]) == STAGES
    assert result["threads"] == 1
    assert all(low <= result[key] <= high for key, (low, high) in result["intervals"].items())
    assert result["naive_over_streamed_fp32"] > 4


def test_fp32_backbone_without_onnx_says_what_to_install(int8: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "export.twin", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"making it needs onnx; run: pip install 'auscult\[export\]', or give an exported one with --fp32"):
        fp32_backbone(int8, DEFAULT_BACKBONE, None, tmp_path)


def test_fp32_backbone_made_from_int8_has_its_features_but_for_rounding(int8: Backbone, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs the extra [export]")
    fp32 = fp32_backbone(int8, DEFAULT_BACKBONE, None, tmp_path)
    log_mel = machine_log_mel(int8, 3.0, seed=0)
    streams = [backbone.stream() for backbone in (fp32, int8)]
    for start in range(0, 256, 32):
        exact, rounded = (stream.push(log_mel[start : start + 32]).block3 for stream in streams)
    assert fp32.precision == "fp32"
    assert np.sqrt(np.mean((exact - rounded) ** 2)) < 0.1 * np.sqrt(np.mean(exact**2))


def test_cost_of_the_backbone_without_a_network_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["cost", "--backbone", "logmel"]) == 2
    problem = "has no network to measure; the other stages cost the same with any backbone"
    assert capsys.readouterr().err == f"auscult: --backbone logmel: {problem}\n"
