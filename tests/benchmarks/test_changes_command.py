from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.clips import write_clip
from benchmarks.commands import changes as command
from benchmarks.datasets.manifest import Unit
from benchmarks.steady_fan import SteadyFan, steady_fan
from edge.console.cli import run_command

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

KEYS = ["kind", "what", "size", "unit_of_size", "roc_auc", "low", "high", "mean_score", "alarms", "heard", "files", "turned_down"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fan in clips of one second, and a pump that there is nothing to learn from."""
    folder = tmp_path_factory.mktemp("manifest")
    fan = SteadyFan(1)
    rows = ["path,dataset,unit,role,label"]
    for unit, role, count in (("fan", "fit", 12), ("fan", "test", 3), ("pump", "test", 1)):
        for number in range(count):
            write_clip(folder / f"{unit}_{role}_{number}.wav", fan.clip(1.0))
            rows.append(f"{unit}_{role}_{number}.wav,factory,{unit},{role},normal")
    (folder / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "manifest.csv"


def benchmark(*options: str) -> int:
    return run_command("benchmarks.commands.benchmark", "auscult benchmark", ["changes", *options])


def test_changes_of_a_manifest_has_the_figures_of_every_change_as_json(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--kinds", "broadband", "impulses", "--most", "2", "--coreset", "20", "--seed", "3", "--format", "json")
    assert benchmark("--manifest", str(manifest), *options) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(result["units"]) == ["fan"]
    assert result["skipped"] == {"pump": "no fit rows"}
    assert (result["manifest"], result["synthesised"], result["seed"], result["most"]) == ("manifest.csv", False, 3, 2)
    assert result["system"]["coreset"] == 20
    fan = result["units"]["fan"]
    assert (fan["fit_files"], fan["normal_files"], fan["draws"]) == (12, 3, 1)
    assert [(one["kind"], one["size"]) for one in fan["changes"]] == [
        *(("broadband", size) for size in (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)),
        *(("impulses", size) for size in (-20.0, -15.0, -10.0, -5.0)),
    ]
    for one in fan["changes"]:
        assert list(one) == KEYS
        assert one["low"] <= one["roc_auc"] <= one["high"]
        assert one["files"] == 2
    assert list(fan["smallest"]) == ["broadband softer", "broadband louder", "impulses"]
    assert fan["changes"][-1]["heard"] == 1.0
    assert fan["changes"][-1]["mean_score"] > fan["mean_score"]


def test_changes_of_a_synthesised_fan_needs_no_recordings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def short(folder: Path, seed: int) -> Unit:
        return steady_fan(folder, seed, fit=3, test=2)

    monkeypatch.setattr(command, "steady_fan", short)
    assert benchmark("--synthesised", "--kinds", "modulation", "--most", "1", "--coreset", "20") == 0
    first, _, header, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("steady_fan: 3 files learned, 2 normal ones scored; unchanged they score ")
    assert header.split() == ["kind", "what", "size", "ROC", "AUC", "95", "%", "interval", "score", "alarms", "detected"]
    assert [row.split()[:7] for row in rows[:12]] == [
        ["modulation", "1-2", "kHz", "at", rate, "Hz", "depth"] for rate in ("5", "20", "50", "100") for _ in range(3)
    ]
    assert rows[-2].startswith("smallest modulation, detected in half: depth ")


def test_changes_when_nothing_can_be_measured_says_why(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("--manifest", str(manifest), "--units", "pump") == 0
    assert capsys.readouterr().out.splitlines() == ["skipped pump: no fit rows"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "--manifest: give either the manifest of your recordings or --synthesised"),
        (["--synthesised", "--manifest", "manifest.csv"], "--manifest: give either the manifest of your recordings or --synthesised"),
        (["--manifest", "nowhere.csv"], "nowhere.csv"),
        (["--manifest", "manifest.csv", "--units", "valve"], "valve: no such unit in the manifest; it has fan, pump"),
        (["--synthesised", "--kinds", "loudness"], "argument --kinds: invalid choice: 'loudness'"),
        (["--synthesised", "--most", "0"], "argument --most: must be 1 or more, not 0"),
        (["--synthesised", "--repeats", "none"], "argument --repeats: must be a whole number, not 'none'"),
        (["--synthesised", "--heads", "ears"], "--heads ears: no such head"),
    ],
)
def test_changes_with_a_mistake_is_one_line_and_exit_code_two(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], problem: str
) -> None:
    monkeypatch.chdir(manifest.parent)
    assert benchmark(*options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert problem in captured.err
