from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.clips import read_clip
from benchmarks.datasets.manifest import read_manifest
from benchmarks.singles import cut, single_units
from calibrate.left_out import Sieve
from edge.console.cli import run_command

RATE_HZ = 16000
MICROPHONES = 4


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One machine by four microphones, once with a tone; another of which the anomalous recording is missing."""
    folder = tmp_path_factory.mktemp("single")
    rows = ["path,dataset,unit,role,label"]
    for unit, label in (("fan", "normal"), ("fan", "anomalous"), ("pump", "normal")):
        samples = np.random.default_rng(len(rows)).standard_normal((6 * RATE_HZ, MICROPHONES)) * 0.05
        if label == "anomalous":
            samples += 0.1 * np.sin(2 * np.pi * 3000 * np.arange(len(samples)) / RATE_HZ)[:, None]
        soundfile.write(folder / f"{unit}_{label}.wav", samples, RATE_HZ)
        rows.append(f"{unit}_{label}.wav,factory,{unit},single,{label}")
    (folder / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "manifest.csv"


def benchmark(manifest: Path, *options: str) -> int:
    return run_command(
        "benchmarks.commands.benchmark", "auscult benchmark", ["machines", "--manifest", str(manifest), "--single", *options]
    )


def test_cut_learns_from_first_halves_and_tests_second_halves_of_every_microphone(manifest: Path, tmp_path: Path) -> None:
    fan, pump = single_units(read_manifest(manifest))
    assert (fan.key, pump.key, pump.anomalous) == ("factory/fan", "factory/pump", ())
    sieve = Sieve()
    halves = cut(fan, tmp_path, sieve)
    assert sieve.left_out == ()
    assert [len(paths) for paths in (halves.fit, halves.normal, halves.anomalous)] == [MICROPHONES] * 3
    assert halves.lacks is None
    samples, _ = soundfile.read(fan.normal[0], dtype="float32")
    for microphone in range(MICROPHONES):
        first, second = read_clip(halves.fit[microphone]), read_clip(halves.normal[microphone])
        assert np.array_equal(np.concatenate([first.samples, second.samples]), samples[:, microphone])
    anomalous, _ = soundfile.read(fan.anomalous[0], dtype="float32")
    assert np.array_equal(read_clip(halves.anomalous[2]).samples, anomalous[3 * RATE_HZ :, 2])


def test_machines_single_in_json_measures_single_rows_only(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")
    assert benchmark(manifest, "--format", "json") == 0
    result = json.loads(capsys.readouterr().out)
    fan = result["units"]["factory/fan"]
    assert (fan["roc_auc"], fan["fit_files"], fan["normal_files"], fan["anomalous_files"]) == (1.0, 4, 4, 4)
    assert result["single"] is True
    assert result["skipped"] == {"factory/pump": "no anomalous test rows"}


def test_machines_single_with_repeats_is_refused(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")
    assert benchmark(manifest, "--repeats", "2") == 2
    assert "leave it out with --single" in capsys.readouterr().err
