from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from calibrate.calibration import calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from edge.console.cli import run_command
from export.synthesis import RotatingMachine

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

RATE_HZ = 32000
CLIP_S = 4.0
KINDS = {"fit": 5, "normal": 3, "anomalous": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a synthesised machine, new normal recordings of it, and recordings with a loud tone."""
    folder = tmp_path_factory.mktemp("evaluate")
    machine = RotatingMachine(1, RATE_HZ)
    tone = (0.1 * np.sin(2 * np.pi * 5000 * np.arange(round(CLIP_S * RATE_HZ)) / RATE_HZ)).astype(np.float32)
    for kind, count in KINDS.items():
        (folder / kind).mkdir()
        for number in range(count):
            samples = machine.render(CLIP_S) + (tone if kind == "anomalous" else np.float32(0))
            soundfile.write(folder / kind / f"{kind}{number}.wav", samples, RATE_HZ)
    settings = CalibrationSettings(fitting=PatchCoreSettings(coreset=50))
    calibrate(sorted((folder / "fit").iterdir()), folder / "machine.auscult", settings)
    return folder


def evaluate(folder: Path, *options: str, normal: str = "normal", anomalous: str = "anomalous") -> int:
    arguments = ["--bundle", str(folder / "machine.auscult"), "--normal", str(folder / normal), "--anomalous", str(folder / anomalous)]
    return run_command("calibrate.commands.evaluate", "auscult evaluate", [*arguments, *options])


def test_evaluate_of_a_fault_that_is_heard_finds_it_in_every_recording(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(folder, "--format", "json") == 0
    result = json.loads(capsys.readouterr().out)
    sample = result["sample"]
    assert (sample["roc_auc"], sample["pauc"], sample["f1"]) == (1.0, 1.0, 1.0)
    assert (sample["roc_auc_low"], sample["roc_auc_high"]) == (1.0, 1.0)
    assert result["files"] == {"normal": 3, "anomalous": 2, "unscored": 0}
    assert result["threshold"]["detected_fraction"] == 1.0
    assert 0.0 <= result["threshold"]["false_alarm_fraction"] <= 1.0


def test_evaluate_in_text_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 normal and 2 anomalous recordings, 0 could not be scored"
    assert lines[1].split() == ["ROC", "AUC", "1.000", "95", "%", "interval", "1.000", "-", "1.000"]


def test_evaluate_with_an_unreadable_recording_names_it_and_continues(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    assert evaluate(folder, str(tmp_path / "text.wav"), "--format", "json") == 0  # the path joins --anomalous, the last list
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "text.wav" in captured.err
    result = json.loads(captured.out)
    assert result["files"]["unscored"] == 1
    assert result["left_out"] == [{"file": str(tmp_path / "text.wav"), "reason": "not a WAV, FLAC or OGG file (Format not recognised)"}]


def test_evaluate_leaves_out_what_is_silent_empty_short_or_too_narrow(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    samples = RotatingMachine(1, RATE_HZ).render(CLIP_S)
    silent = np.where(np.arange(len(samples)) < RATE_HZ, samples, 0.0)
    for name, sound, rate_hz in (
        ("empty.wav", samples[:0], RATE_HZ),
        ("narrow.wav", samples, 8000),
        ("short.wav", samples[:1000], RATE_HZ),
        ("silent.wav", silent, RATE_HZ),
    ):
        soundfile.write(tmp_path / name, sound, rate_hz)
    assert evaluate(folder, str(tmp_path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 normal and 2 anomalous recordings, 4 could not be scored"
    assert lines[-1].startswith(f"left out 4 of 9: {tmp_path / 'empty.wav'}: holds no sound; {tmp_path / 'narrow.wav'}: was calibrated on")
    assert lines[-1].endswith("; and 1 more")


def test_evaluate_on_what_was_calibrated_on_warns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(folder, normal="fit") == 0
    assert "warning: 5 of 5 normal recordings have the names of recordings that the bundle was calibrated on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("normal", "anomalous", "problem"),
    [
        ("normal", "normal", "is among the normal and among the anomalous recordings"),
        ("none", "anomalous", "no such file or folder"),
    ],
)
def test_evaluate_of_a_mistake_is_one_line_and_exit_code_two(
    folder: Path, capsys: pytest.CaptureFixture[str], normal: str, anomalous: str, problem: str
) -> None:
    assert evaluate(folder, normal=normal, anomalous=anomalous) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert problem in captured.err


def test_evaluate_without_scikit_learn_says_what_to_install_before_any_work(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    assert evaluate(folder, normal="none") == 2
    assert "pip install 'auscult[benchmark]'" in capsys.readouterr().err
