from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.console.cli import run_command
from export.synthesis import RotatingMachine

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

RATE_HZ = 16000
CLIP_S = 4.0


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fan with a loud tone when it is broken, a pump without fit rows, a motor with too little to learn from, and rain."""
    folder = tmp_path_factory.mktemp("manifest")
    machine = RotatingMachine(1, RATE_HZ)
    tone = (0.1 * np.sin(2 * np.pi * 3000 * np.arange(round(CLIP_S * RATE_HZ)) / RATE_HZ)).astype(np.float32)
    rows = ["path,dataset,unit,role,label"]
    for unit, role, label, count in (
        ("fan", "fit", "normal", 4),
        ("fan", "test", "normal", 2),
        ("fan", "test", "anomalous", 2),
        ("pump", "test", "normal", 1),
        ("motor", "fit", "normal", 1),
        ("motor", "test", "normal", 1),
        ("motor", "test", "anomalous", 1),
        ("rain", "background", "none", 3),
    ):
        for number in range(count):
            name = f"{unit}_{role}_{label}_{number}.wav"
            samples = machine.render(CLIP_S) + (tone if label == "anomalous" else np.float32(0))
            if role == "background":
                samples = np.random.default_rng(number).standard_normal(len(samples)).astype(np.float32) * np.float32(0.1)
            # Two microphones; the second hears nothing.
            soundfile.write(folder / name, np.stack([samples, np.zeros_like(samples)], axis=1), RATE_HZ)
            rows.append(f"{name},factory,{unit},{role},{label}")
    (folder / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "manifest.csv"


def benchmark(manifest: Path, *options: str) -> int:
    return run_command("benchmarks.commands.benchmark", "auscult benchmark", ["machines", "--manifest", str(manifest), *options])


def test_machines_in_json_has_the_fixed_keys_and_the_reasons_for_what_was_skipped(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark(manifest, "--format", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["units"]) == ["fan"]
    fan = result["units"]["fan"]
    assert (fan["roc_auc"], fan["low"], fan["high"], fan["files"]) == (1.0, 1.0, 1.0, 4)
    assert result["mean"] == 1.0
    assert result["skipped"]["pump"] == "no fit rows and no anomalous test rows"
    assert "hold 4.0 s of sound" in result["skipped"]["motor"]


def test_machines_with_background_and_repeats_gives_the_same_figures_again(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = []
    for _ in range(2):
        assert benchmark(manifest, "--units", "fan", "--repeats", "1", "--snr", "-6", "--seed", "3", "--format", "json") == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results[0] == results[1]
    assert (results[0]["snr_db"], results[0]["repeats"], results[0]["units"].keys()) == (-6.0, 1, {"fan"})


def test_machines_with_background_of_one_level_says_so(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark(manifest, "--units", "fan", "--noise-db", "-6", "--backbone", "logmel", "--format", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["noise_db"], result["snr_db"], result["units"].keys()) == (-6.0, None, {"fan"})


def test_machines_with_some_heads_hears_by_these_and_says_so(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    areas = {}
    for heads in (["logmel_sustained"], ["level"], []):
        chosen = ["--heads", *heads] if heads else []
        assert benchmark(manifest, "--units", "fan", "--backbone", "logmel", "--format", "json", *chosen) == 0
        result = json.loads(capsys.readouterr().out)
        detector = {"detector": "patchcore", "mode": "stream", "coreset": 500, "banks": "per-band", "seed": 0}
        assert result["system"] == {"backbone": "logmel", "heads": heads, **detector}
        areas["+".join(heads)] = result["units"]["fan"]["roc_auc"]
    assert areas["logmel_sustained"] == areas[""] == 1.0  # the tone is steady


def test_machines_in_text_is_a_table(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark(manifest, "--units", "factory/pump") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["unit", "ROC", "AUC"]
    assert lines[-1] == "skipped pump: no fit rows and no anomalous test rows"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--units", "valve"], "valve: no such unit in the manifest"),
        (["--repeats", "0"], "must be 1 or more, not 0"),
        (["--snr", "loud"], "must be a number, not 'loud'"),
        (["--noise-db", "loud"], "must be a number, not 'loud'"),
        (["--noise-db", "6", "--snr", "-6"], "argument --snr: not allowed with argument --noise-db"),
        (["--seed", "-1"], "must be 0 or more, not -1"),
        (
            ["--heads", "cnn14_texture"],
            "--heads cnn14_texture: no such head; there are cnn14_moment, cnn14_sustained, logmel_sustained, excess_moment, ",
        ),
        (
            ["--backbone", "logmel", "--heads", "level", "cnn14_moment"],
            "--heads cnn14_moment: no such head; there are logmel_sustained, excess_moment, ",
        ),
        (["--heads"], "expected at least one argument"),
    ],
)
def test_machines_with_a_mistake_is_one_line_and_exit_code_two(
    manifest: Path, capsys: pytest.CaptureFixture[str], options: list[str], problem: str
) -> None:
    assert benchmark(manifest, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert problem in captured.err


@pytest.mark.parametrize("option", ["--snr", "--noise-db"])
def test_machines_with_background_but_no_rows_of_it_is_refused(manifest: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    without = manifest.with_name("without.csv")
    without.write_text("\n".join(line for line in manifest.read_text().splitlines() if "background" not in line), encoding="utf-8")
    assert benchmark(without, option, "-6") == 2
    assert f"has no background rows to mix in; leave out {option}" in capsys.readouterr().err


def test_machines_of_short_clips_learn_from_as_much_and_say_so(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark(manifest, "--units", "fan", "--seconds", "1", "--format", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["clip_s"] == 1.0
    assert result["units"]["fan"]["roc_auc"] == 1.0
    assert benchmark(manifest, "--seconds", "0") == 2
    assert "--seconds: must be above 0, not 0" in capsys.readouterr().err
    assert benchmark(manifest, "--seconds", "1e-9") == 2
    assert "--seconds: clips of 1e-09 s are too short to score; give 0.1 or more" in capsys.readouterr().err
