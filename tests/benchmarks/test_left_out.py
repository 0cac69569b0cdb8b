"""No clip spoils a set: every benchmark names recordings that cannot be used, leaves them out and measures the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge.console.cli import run_command
from export.synthesis import RotatingMachine
from tests.benchmarks.spoilt import RATE_HZ, REASONS, spoil, spoilt

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

CLIP_S = 4.0
QUICK = ("--backbone", "logmel", "--coreset", "40")


def sound(kind: str, number: int, machine: RotatingMachine) -> np.ndarray:
    """A machine, with a loud tone when it is broken, or noise."""
    samples = machine.render(CLIP_S)
    if kind == "anomalous":
        return samples + 0.1 * np.sin(2 * np.pi * 3000 * np.arange(len(samples)) / RATE_HZ)
    return samples if kind == "normal" else 0.1 * np.random.default_rng(number).standard_normal(len(samples))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fan, street sound and dogs."""
    folder = tmp_path_factory.mktemp("manifest")
    machine = RotatingMachine(1, RATE_HZ)
    rows = ["path,dataset,unit,role,label"]
    for dataset, unit, role, label, count in (
        ("factory", "fan", "fit", "normal", 4),
        ("factory", "fan", "test", "normal", 2),
        ("factory", "fan", "test", "anomalous", 2),
        ("background_urbansound8k", "drilling", "background", "none", 6),
        ("background_esc10", "Dog bark", "background", "none", 2),
    ):
        for number in range(count):
            name = f"{unit.split()[0]}_{role}_{label}_{number}.wav"
            soundfile.write(folder / name, sound(label, number, machine), RATE_HZ)
            rows.append(f"{name},{dataset},{unit},{role},{label}")
    (folder / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def spoilt_fan(manifest: Path) -> Path:
    """The same with eight recordings of the fan that cannot be used."""
    return spoil(manifest, "spoilt", "fan")


def benchmark(name: str, *options: str) -> int:
    return run_command("benchmarks.commands.benchmark", "auscult benchmark", [name, *QUICK, *options])


def measured(capsys: pytest.CaptureFixture[str], name: str, *options: str) -> Any:
    assert benchmark(name, *options, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def names(left_out: Sequence[dict[str, str]]) -> set[str]:
    assert all(one["reason"] for one in left_out)
    return {Path(one["file"]).name for one in left_out}


def spoilt_names(*roles: str) -> set[str]:
    return {f"spoilt_fan_{role}_{kind}.wav" for role in roles for kind in REASONS}


@pytest.mark.parametrize("condition", [(), ("--noise-db", "6"), ("--snr", "-6")])
def test_machines_leaves_the_same_out_in_every_background_and_measures_the_others(
    manifest: Path, spoilt_fan: Path, capsys: pytest.CaptureFixture[str], condition: tuple[str, ...]
) -> None:
    options = ("--units", "fan", "--baseline", *condition)
    fan = measured(capsys, "machines", "--manifest", str(spoilt_fan), *options)["units"]["fan"]
    assert names(fan.pop("left_out")) == spoilt_names("fit", "test")
    assert fan.pop("recordings") == 8 + 8
    clean = measured(capsys, "machines", "--manifest", str(manifest), *options)["units"]["fan"]
    assert (clean.pop("left_out"), clean.pop("recordings")) == ([], 8)
    assert fan == clean  # nothing else changes


def test_machines_in_text_names_what_was_left_out(spoilt_fan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("machines", "--manifest", str(spoilt_fan), "--units", "fan", "--repeats", "2") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("left out 8 of 16: ")
    assert last.endswith("; and 5 more")
    assert f"spoilt_fan_fit_silent.wav: {REASONS['silent']}" in last


def test_machines_without_anything_left_to_test_says_what_was_left_out(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in spoil(manifest, "only", "fan", ("test",)).read_text().splitlines() if "fan_test_normal" not in row]
    manifest.with_name("only.csv").write_text("\n".join(rows), encoding="utf-8")
    result = measured(capsys, "machines", "--manifest", str(manifest.with_name("only.csv")), "--units", "fan")
    assert result["units"] == {}
    assert result["skipped"]["fan"].startswith("recordings: no normal test rows left; left out 4 of 10: ")


def test_machines_of_short_clips_names_the_clip_of_a_recording(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half = np.random.default_rng(0).standard_normal(4 * RATE_HZ) * 0.05
    half[2 * RATE_HZ :] = 0.0  # a recording that is heard, two clips of which are not
    soundfile.write(manifest.with_name("half.wav"), half, RATE_HZ)
    written = manifest.with_name("half.csv")
    written.write_text(manifest.read_text(encoding="utf-8") + "\nhalf.wav,factory,fan,fit,normal", encoding="utf-8")
    fan = measured(capsys, "machines", "--manifest", str(written), "--units", "fan", "--seconds", "1")["units"]["fan"]
    assert names(fan["left_out"]) == {"half.wav, clip 3 of 4", "half.wav, clip 4 of 4"}
    assert (fan["fit_files"], fan["recordings"]) == (5, 5 * 4 + 4)


def test_machines_leaves_out_backgrounds_that_cannot_be_read(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = spoil(manifest, "hum", "drilling", ("background",))
    options = ("--manifest", str(written), "--units", "fan", "--noise-db", "0")
    background = measured(capsys, "machines", *options)["background"]
    assert names(background["left_out"]) == {"hum_drilling_background_empty.wav", "hum_drilling_background_broken.wav"}
    assert background["recordings"] == 8 + 4
    assert benchmark("machines", *options) == 0
    assert "background: left out 2 of 12: " in capsys.readouterr().out


def test_machines_single_leaves_out_a_microphone_that_heard_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["path,dataset,unit,role,label"]
    machine = RotatingMachine(1, RATE_HZ)
    for label in ("normal", "anomalous"):
        samples = np.stack([np.concatenate([sound(label, n, machine)] * 3) for n in range(4)], axis=1)
        samples[:, 2] = 0.0
        soundfile.write(tmp_path / f"{label}.wav", samples, RATE_HZ)
        rows.append(f"{label}.wav,factory,fan,single,{label}")
    spoilt(tmp_path, "broken", "broken.wav")
    rows.append("broken.wav,factory,fan,single,normal")
    (tmp_path / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    options = ("--manifest", str(tmp_path / "manifest.csv"), "--single")
    fan = measured(capsys, "machines", *options)["units"]["factory/fan"]
    assert (fan["fit_files"], fan["normal_files"], fan["anomalous_files"]) == (3, 3, 3)
    assert names(fan["left_out"]) == {
        "normal.wav, microphone 2, first half",
        "normal.wav, microphone 2, second half",
        "broken.wav",
        "anomalous.wav, microphone 2, second half",
    }
    (tmp_path / "manifest.csv").write_text("\n".join(row for row in rows if not row.startswith("normal")), encoding="utf-8")
    skipped = measured(capsys, "machines", *options)["skipped"]["factory/fan"]
    assert skipped.startswith("recordings: no fit rows and no normal test rows left; left out 2 of 5: ")


def test_robustness_leaves_them_out_of_every_change(spoilt_fan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--manifest", str(spoilt_fan), "--units", "fan")
    fan = measured(capsys, "robustness", *options)["units"]["fan"]
    assert names(fan["left_out"]) >= spoilt_names("test")
    assert (fan["normal_files"], fan["anomalous_files"], fan["recordings"]) == (2, 2, 16)
    assert {change["false_alarms"]["of"] for change in fan["changes"].values()} == {2}


def test_promise_leaves_them_out(spoilt_fan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--manifest", str(spoilt_fan), "--units", "fan", "--false-alarms-per-week", "1")
    result = measured(capsys, "promise", *options)
    assert names(result["left_out"]["fan"]) >= spoilt_names("test")
    assert result["units"]["fan"][0]["of"] == 2
    assert benchmark("promise", *options) == 0
    assert "left out 7 of 14: " in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("name", ["envmix", "faithfulness"])
def test_envmix_and_faithfulness_leave_out_recordings_and_sounds(manifest: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    rows = (
        spoil(manifest, f"street_{name}", "drilling", ("background",))
        .read_text(encoding="utf-8")
        .replace(",factory,", ",background_urbansound8k,")
    )
    rows += f"\n{spoilt(manifest.parent, 'broken', f'{name}_dog.wav').name},background_esc10,Dog bark,background,none"
    written = manifest.with_name(f"street_{name}.csv")
    written.write_text(rows, encoding="utf-8")
    options = ("--manifest", str(written), "--snr", "6")
    result = measured(capsys, name, *options)
    left_out = result["classes"]["drilling"]["left_out"] if name == "envmix" else result["detectors"]["patchcore"]["left_out"]["drilling"]
    assert f"{name}_dog.wav" in names(left_out)
    assert {f"street_{name}_drilling_background_{kind}.wav" for kind in ("empty", "broken")} <= names(left_out)
    assert result.get("skipped", {}) == {}
    assert benchmark(name, *options) == 0
    assert f"left out {len(left_out)} of 13: " in capsys.readouterr().out


def test_dcase2020_leaves_them_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = RotatingMachine(1, RATE_HZ)
    for folder, label, count in (("train", "normal", 4), ("test", "normal", 2), ("test", "anomaly", 2)):
        (tmp_path / "fan" / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            kind = "anomalous" if label == "anomaly" else "normal"
            soundfile.write(tmp_path / "fan" / folder / f"{label}_id_00_{number:08}.wav", sound(kind, number, machine), RATE_HZ)
        for number, bad in enumerate(REASONS):
            spoilt(tmp_path / "fan" / folder, bad, f"{label}_id_00_{90 + number:08}.wav")
    options = ("--root", str(tmp_path), "--cache", "none")
    (fan,) = measured(capsys, "dcase2020", *options)["detectors"]["patchcore"]["units"]
    assert (len(fan["left_out"]), fan["recordings"]) == (12, 20)
    assert fan["roc_auc"] == 1.0
    assert benchmark("dcase2020", *options) == 0
    assert "left out 12 of 20: " in capsys.readouterr().out
