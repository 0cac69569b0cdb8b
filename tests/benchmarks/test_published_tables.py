"""`auscult benchmark mimii` and `dcase2020` on generated trees of the published layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import benchmarks.learned
import calibrate.calibration
from edge.console.cli import run_command
from export.synthesis import RotatingMachine

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

RATE_HZ = 16000
CLIP_S = 3.0


def write(path: Path, machine: RotatingMachine, broken: bool, channels: int) -> None:
    samples = machine.render(CLIP_S)
    if broken:
        samples = samples + (0.1 * np.sin(2 * np.pi * 3000 * np.arange(len(samples)) / RATE_HZ)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([samples] * channels, axis=1), RATE_HZ)


@pytest.fixture(scope="module")
def mimii(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mimii")
    for kind in ("fan", "pump"):
        machine = RotatingMachine(len(kind), RATE_HZ)
        for label, count in (("normal", 6), ("abnormal", 2)):
            for number in range(count):
                write(root / f"6_dB_{kind}" / kind / "id_00" / label / f"{number:08}.wav", machine, label == "abnormal", 8)
    return root


@pytest.fixture(scope="module")
def dcase2020(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dcase2020")
    machine = RotatingMachine(1, RATE_HZ)
    for name in [f"train/normal_id_01_{n:08}.wav" for n in range(4)] + [f"test/normal_id_01_{n:08}.wav" for n in range(2)]:
        write(root / "ToyCar" / name, machine, False, 1)
    for number in range(2):
        write(root / "ToyCar" / "test" / f"anomaly_id_01_{number:08}.wav", machine, True, 1)
    return root


def benchmark(name: str, root: Path, *options: str) -> int:
    return run_command("benchmarks.commands.benchmark", "auscult benchmark", [name, "--root", str(root), "--backbone", "logmel", *options])


def test_mimii_prints_the_papers_table_with_ours_beside(mimii: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("mimii", mimii, "--format", "markdown") == 0
    printed = capsys.readouterr()
    rows = {line.split("|")[1].strip(): line for line in printed.out.splitlines() if line.startswith("|")}
    assert list(rows) == ["system", "---", "DCASE2020 baseline", "CFA", "PaDiM", "PatchCore", "STFPM"]
    cells = [cell.strip() for cell in rows["PatchCore"].split("|")[2:-1]]
    assert cells[:2] == ["100.0 / 67.5", "100.0 (100.0 - 100.0) / 59.6"]
    assert cells[4] == "- / 75.2"  # no slider here
    assert "MIMII: 2 of 48 machines are here" in printed.err


def test_dcase2020_in_json_has_ours_and_the_published_average(dcase2020: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("dcase2020", dcase2020, "--seeds", "2", "--format", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert [unit["unit"] for unit in result["detectors"]["patchcore"]["units"]] == ["ToyCar/id_01"] * 2
    assert result["detectors"]["patchcore"]["system"]["mode"] == "clip"
    assert result["table"]["rows"]["PatchCore"]["average AUC"]["value"] == 100.0
    assert result["table"]["rows"]["AudDSR"]["average AUC"] == {"value": None, "low": None, "high": None, "published": 84.97}


def test_what_was_measured_is_not_measured_again_and_a_run_that_is_broken_off_continues(
    mimii: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    once = calibrate.calibration.calibrate
    calibrated = []

    def broken_off(*arguments: object, **more: object) -> object:
        calibrated.append(arguments)
        if len(calibrated) == 2:
            raise KeyboardInterrupt
        return once(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(benchmarks.learned, "calibrate", broken_off)
    options = ("--cache", str(tmp_path / "cache"), "--coreset", "40", "--format", "json")
    assert benchmark("mimii", mimii, *options) == 130
    assert capsys.readouterr().out == ""
    assert benchmark("mimii", mimii, *options) == 0
    first = capsys.readouterr().out
    assert len(calibrated) == 3  # the first machine was kept
    assert benchmark("mimii", mimii, *options) == 0
    assert len(calibrated) == 3
    assert capsys.readouterr().out == first


def test_tables_of_folders_that_hold_nothing_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, where in (("mimii", "zenodo.org/records/3384388"), ("dcase2020", "zenodo.org/records/3678171")):
        assert benchmark(name, tmp_path) == 2
        assert where in capsys.readouterr().err
    assert benchmark("mimii", tmp_path, "--detector", "patchcore,oracle") == 2
    assert "no such detector: 'oracle'" in capsys.readouterr().err
