from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.console.cli import run_command
from edge.features.backbone import Backbone
from export.commands import pretrain as command


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    # Several machines each: int8 ranges of a single one do not fit another, and the gate is about the median clip.
    monkeypatch.setattr(command, "CALIBRATION_S", 40.0)
    monkeypatch.setattr(command, "CHECK_S", 20.0)
    monkeypatch.setattr(command, "extra_gates", [])
    monkeypatch.setattr("export.pretrain.trainer.STATISTICS_BATCHES", 4)


def _pretrain(*arguments: object) -> int:
    return run_command("export.commands.pretrain", "auscult export pretrain", [str(argument) for argument in arguments])


@pytest.mark.slow
def test_pretrain_writes_a_backbone_whose_card_lists_data_and_licences(
    teacher_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fans").mkdir()
    soundfile.write(tmp_path / "fans" / "1.wav", np.random.default_rng(0).normal(0.0, 0.05, 16000 * 3), 16000)
    asked = (
        *("--steps", 20, "--batch", 2, "--scenes", 4, "--seed", 5, "--threads", 1, "--workers", 0, "--device", "cpu"),
        *("--precision", "float32"),  # the same on every processor
        *("--teacher", teacher_file, "--recordings", tmp_path / "fans", "--credits", "Fans (CC BY 4.0)"),
        *("--output", tmp_path / "made", "--format", "json"),
    )
    assert _pretrain(*asked) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["steps"] == 20
    assert len((tmp_path / "made" / "losses.csv").read_text().splitlines()) == 21
    for name, precision in (("cnn14-trained", "int8"), ("cnn14-trained-fp32", "fp32")):
        backbone = Backbone.load(tmp_path / "made" / f"{name}.onnx")
        assert backbone.precision == precision
        card = backbone.card
        assert (card.seed, card.licence) == (5, "Apache-2.0")
        assert card.training_data == [
            "Fans (CC BY 4.0): 0.1 min of recordings, at 3 speeds",
            "4 machines that Auscult synthesised",
            command.TEACHER_CREDIT,
            "20 steps of 2 excerpts of 1.28 s: 1 x distillation + 1 x synthesis",
        ]
        assert card.parity["features"]["fp32_streamed_vs_torch"]["block4"]["largest_difference"] <= 1e-4
        for figures in card.parity["features"]["int8_streamed_vs_fp32"].values():
            assert figures["relative_rms"] < 0.06  # with room to the gate at 0.08
    before = (tmp_path / "made" / "cnn14-trained.onnx").read_bytes()
    assert _pretrain(*asked) == 0  # it is done: exported again, not trained again
    assert "continues at step 20 of 20" in capsys.readouterr().err
    assert (tmp_path / "made" / "cnn14-trained.onnx").read_bytes() == before


def test_pretrain_interrupted_says_how_to_continue_and_exits_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("export.pretrain.trainer.Training._learn", interrupt)
    assert _pretrain("--steps", 4, "--batch", 2, "--scenes", 2, "--workers", 0, "--device", "cpu", "--output", tmp_path / "made") == 130
    assert "stopped at step 0 of 4; the same command continues from there" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["losses.csv", "training.pt"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--recordings", "fans"], "--credits: must say name and licence of each folder"),
        (["--distillation", "1"], "--distillation: needs --teacher"),
        (["--synthesis", "0"], "leaves nothing to learn"),
        (["--teacher", "missing.pt"], "missing.pt: cannot be read (No such file or directory)"),
        (["--steps", "0"], "argument --steps: must be 1 or more, not 0"),
        (["--name", "../x"], "--name ../x: may hold letters"),
        (["--views", "-1"], "argument --views: must be 0 or more, not -1"),
        (["--precision", "int8"], "invalid choice: 'int8'"),
    ],
)
def test_pretrain_with_a_mistake_says_it_in_one_line_and_exits_2(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _pretrain(*arguments, "--output", "made") == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert says in captured.err
    assert not Path("made").exists()
