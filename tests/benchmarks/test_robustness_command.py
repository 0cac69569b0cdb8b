from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.ordinary_changes import CHANGES, GAINS
from edge.console.cli import run_command
from export.synthesis import RotatingMachine

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

RATE_HZ = 16000
FIT_S, TEST_S = 4.0, 1.0


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fan with a loud tone when it is broken, a pump that was never heard broken and has nothing to learn from, and a motor likewise."""
    folder = tmp_path_factory.mktemp("manifest")
    machine = RotatingMachine(1, RATE_HZ)
    tone = (0.1 * np.sin(2 * np.pi * 3000 * np.arange(round(TEST_S * RATE_HZ)) / RATE_HZ)).astype(np.float32)
    rows = ["path,dataset,unit,role,label"]
    for unit, role, label, count in (
        ("fan", "fit", "normal", 4),
        ("fan", "test", "normal", 2),
        ("fan", "test", "anomalous", 1),
        ("pump", "test", "normal", 1),
        ("motor", "fit", "normal", 1),
        ("motor", "test", "normal", 1),
    ):
        for number in range(count):
            name = f"{unit}_{role}_{label}_{number}.wav"
            samples = machine.render(FIT_S if role == "fit" else TEST_S)
            soundfile.write(folder / name, samples + tone if label == "anomalous" else samples, RATE_HZ)
            rows.append(f"{name},factory,{unit},{role},{label}")
    (folder / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "manifest.csv"


def benchmark(manifest: Path, *options: str) -> int:
    return run_command("benchmarks.commands.benchmark", "auscult benchmark", ["robustness", "--manifest", str(manifest), *options])


@pytest.mark.slow
def test_robustness_has_every_change_of_every_unit_and_the_same_figures_again(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark(manifest, "--seed", "3", "--coreset", "50", "--format", "json") == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(result["units"]) == ["fan"]
    fan = result["units"]["fan"]
    assert list(fan["changes"]) == list(result["mean"]) == ["unchanged", *CHANGES]
    assert (fan["fit_files"], fan["normal_files"], fan["anomalous_files"]) == (4, 2, 1)
    assert result["system"]["coreset"] == 50
    for name, change in fan["changes"].items():
        assert (change["false_alarms"]["of"], change["detected"]["of"]) == (2, 1), name
        assert sum(change["strongest"].values()) == change["false_alarms"]["count"], name
        assert ("told_as_level" in change) == (name in GAINS)
        assert result["mean"][name]["false_alarms"] == change["false_alarms"]["fraction"]
    assert fan["changes"]["unchanged"]["roc_auc"]["value"] == 1.0
    assert fan["changes"]["gain +12 dB"]["mean_score"]["value"] > fan["changes"]["unchanged"]["mean_score"]["value"]
    assert result["skipped"]["pump"] == "no fit rows"
    assert "hold 4.0 s of sound" in result["skipped"]["motor"]

    assert benchmark(manifest, "--seed", "3", "--coreset", "50", "--units", "fan", "pump") == 0
    header, *lines, skipped = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["unit", "change", "false", "alarms"]
    assert skipped == "skipped pump: no fit rows"
    for line, (name, change) in zip(lines, fan["changes"].items(), strict=False):
        mean = change["mean_score"]
        cells = re.split(" {2,}", line)
        assert cells[:3] == ["fan", name, f"{change['false_alarms']['count']} of 2"]
        assert cells[5:8] == [f"{mean['value']:.2f}", f"{mean['low']:.2f} - {mean['high']:.2f}", f"{change['largest_score']:.2f}"]
    assert [line.split()[0] for line in lines] == ["fan"] * (1 + len(CHANGES)) + ["mean"] * (1 + len(CHANGES))


def test_robustness_when_nothing_can_be_measured_says_why(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark(manifest, "--units", "pump") == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["skipped pump: no fit rows"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [(["--units", "valve"], "valve: no such unit in the manifest"), (["--seed", "-1"], "must be 0 or more, not -1")],
)
def test_robustness_with_a_mistake_is_one_line_and_exit_code_two(
    manifest: Path, capsys: pytest.CaptureFixture[str], options: list[str], problem: str
) -> None:
    assert benchmark(manifest, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert problem in captured.err
