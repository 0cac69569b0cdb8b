from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from edge.console.cli import run_command
from edge.errors import AuscultError
from edge.features.backbone import Backbone
from export.architecture import SOURCES
from export.checkpoint import generate_checkpoint
from export.commands import export as command
from export.gate import Candidate


class CountsClips:
    """A gate of another room."""

    name = "clips"

    def __call__(self, candidate: Candidate) -> Mapping[str, object]:
        assert candidate.fp32.precision == "fp32"
        assert candidate.int8.precision == "int8"
        return {"count": len(candidate.clips)}


class Refuses:
    """A gate that nothing passes."""

    name = "alarms"

    def __call__(self, candidate: Candidate) -> Mapping[str, object]:
        raise AuscultError(candidate.int8.name, "fails the parity gate: alarms.agreement is 0.5, may be at least 0.99; nothing was written")


@pytest.fixture(autouse=True)
def _short_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "BATCH_NORM_S", 20.0)
    monkeypatch.setattr(command, "CALIBRATION_S", 10.0)
    monkeypatch.setattr(command, "CHECK_S", 6.0)
    monkeypatch.setattr(command, "extra_gates", [])


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "cnn14.pth"
    torch.save(generate_checkpoint(SOURCES["panns"], seed=0), path)
    return path


def _export(*arguments: object) -> int:
    return run_command("export.commands.export", "auscult export", [str(argument) for argument in arguments])


def test_export_panns_writes_both_precisions_with_cards(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.extra_gates.append(CountsClips())
    assert _export("--checkpoint", checkpoint, "--source", "panns", "--output", tmp_path / "made", "--format", "json") == 0
    captured = capsys.readouterr()
    summary = json.loads(captured.out)
    assert summary["front_end"] == "panns-32k"
    assert "synthesised machines" in captured.err
    assert sorted(Path(path).name for path in summary["files"]) == sorted(path.name for path in (tmp_path / "made").iterdir())
    for name, precision in (("cnn14-panns", "int8"), ("cnn14-panns-fp32", "fp32")):
        backbone = Backbone.load(tmp_path / "made" / f"{name}.onnx")
        assert (backbone.name, backbone.precision, backbone.front_end.name) == (name, precision, "panns-32k")
        card = backbone.card
        assert card.licence == "CC-BY-4.0"
        assert card.training_data == ["AudioSet (PANNs Cnn14, Kong et al. 2020)"]
        assert card.calibration_data == ["int8 ranges: 10 s of synthesised machines"]
        assert card.parity["features"]["fp32_streamed_vs_torch"]["block4"]["largest_difference"] <= 1e-4
        assert card.parity["clips"] == {"count": 1}
        assert card.parity["ms_per_s"].keys() == {"fp32", "int8"}
        assert card.faster_on_this_board in ("fp32", "int8")


def test_export_clap_on_recordings_has_the_44_khz_front_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(generate_checkpoint(SOURCES["clap2022"], seed=0), tmp_path / "clap.pth")
    (tmp_path / "recordings").mkdir()
    rng = np.random.default_rng(0)
    for index in range(2):
        soundfile.write(tmp_path / "recordings" / f"{index}.flac", rng.normal(0.0, 0.05, 44100 * 4), 44100)
    code = _export(
        *("--checkpoint", tmp_path / "clap.pth", "--source", "clap2022", "--output", tmp_path / "made"),
        *("--calibration-audio", tmp_path / "recordings", "--name", "mine"),
    )
    text = capsys.readouterr().out
    assert code == 0
    assert "mine: passed every parity gate" in text
    assert "faster on this board: " in text
    backbone = Backbone.load(tmp_path / "made" / "mine.onnx")
    assert backbone.front_end.sample_rate_hz == 44100
    assert backbone.card.calibration_data == ["int8 ranges: 2 clips of recordings in recordings"]


@pytest.mark.slow
def test_export_random_is_the_same_bytes_again(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert _export("--random", "--seed", 4, "--output", tmp_path / folder) == 0
    for name in ("cnn14-random.onnx", "cnn14-random-fp32.onnx"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_export_that_a_gate_refuses_writes_nothing_and_exits_1(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.extra_gates.append(Refuses())
    assert _export("--checkpoint", checkpoint, "--source", "panns", "--output", tmp_path / "made") == 1
    assert capsys.readouterr().err.endswith(
        "cnn14-panns: fails the parity gate: alarms.agreement is 0.5, may be at least 0.99; nothing was written\n"
    )
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--checkpoint", "missing.pth", "--source", "panns"], "missing.pth: cannot be read (No such file or directory)"),
        (["--checkpoint", "missing.pth"], "--source: goes with --checkpoint: panns or clap2022"),
        (["--random", "--source", "panns"], "--source: does not go with --random"),
        (["--random", "--name", "../x"], "--name ../x: may hold letters"),
        (["--random", "--seed", "-1"], "argument --seed: must be 0 or more, not -1"),
        (["--random", "--calibration-audio", "nowhere"], "nowhere: no such file or folder"),
        ([], "one of the arguments --checkpoint --random is required"),
        (["--checkpoint", "x", "--source", "vggish"], "invalid choice: 'vggish'"),
    ],
)
def test_export_with_a_mistake_says_it_in_one_line_and_exits_2(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _export(*arguments, "--output", "made") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err
    assert not Path("made").exists()
