from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.clips import Clip, read_clip
from benchmarks.datasets.envmix import SoundClass, envmix_of_folders, envmix_of_manifest
from benchmarks.datasets.manifest import read_manifest
from benchmarks.envmix import measure_class, truth_grid
from benchmarks.injection import Injection
from benchmarks.learned import learn
from calibrate.anomaly_map import anomaly_map
from calibrate.left_out import Sieve
from calibrate.metrics.spectrogram import spectrogram_truth
from calibrate.metrics.temporal import temporal_truth
from edge.console.cli import run_command
from edge.errors import UserError
from edge.features.frontend import PANNS
from edge.model import Model
from tests.benchmarks.datasets.trees import esc50_tree, urbansound8k_tree

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "manifest.csv"
RATE_HZ = 22050
LEVELS = ("sample", "spectrogram", "temporal")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A steady drill, a siren with too little to learn from, whistles and clicks to add, and rain that is neither."""
    folder = tmp_path_factory.mktemp("envmix")
    rows = ["path,dataset,unit,role,label"]
    for dataset, unit, count, rate_hz in (
        ("urbansound8k", "drilling", 6, RATE_HZ),
        ("urbansound8k", "siren", 2, RATE_HZ),
        ("esc10", "Dog bark", 2, 44100),
        ("esc10", "Clock tick", 2, 44100),
        ("esc10", "Rain", 1, 44100),
    ):
        for number in range(count):
            name = f"{unit.replace(' ', '_')}{number}.wav"
            soundfile.write(folder / name, sound(unit, number, rate_hz), rate_hz)
            rows.append(f"{name},background_{dataset},{unit},background,none")
    (folder / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "manifest.csv"


def sound(unit: str, seed: int, rate_hz: int) -> np.ndarray:
    seconds = {"drilling": 4.0, "siren": 1.0}.get(unit, 1.5)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    hiss = np.random.default_rng(seed).standard_normal(len(time_s))
    if unit == "Dog bark":
        return 0.3 * np.sin(2 * np.pi * 3000 * time_s) * (np.abs(time_s - 0.7) < 0.4) + 1e-5 * hiss
    if unit == "Clock tick":
        return 0.3 * hiss * (time_s % 0.25 < 0.02)
    return 0.05 * hiss + 0.02 * np.sin(2 * np.pi * 300 * time_s)


def benchmark(*options: str) -> int:
    return run_command("benchmarks.commands.benchmark", "auscult benchmark", ["envmix", *options])


@pytest.fixture(scope="module")
def printed(manifest: Path) -> dict[str, Any]:
    """What the program prints, as a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "envmix", "--manifest", str(manifest), "--snr", "12", "-12", "--format", "json"]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=110, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    result: dict[str, Any] = json.loads(process.stdout)
    return result


def test_envmix_in_json_has_every_level_with_its_interval_per_class_ratio_and_mean(printed: dict[str, Any]) -> None:
    assert list(printed["classes"]) == ["drilling"]
    drilling = printed["classes"]["drilling"]
    assert (drilling["fit_clips"], drilling["normal_clips"], drilling["anomalous_clips"]) == (3, 3, 6)
    for figures in (drilling["12"], drilling["-12"], drilling["mean"], printed["snr"]["12"], printed["mean"]):
        assert tuple(figures) == LEVELS
        for level in LEVELS:
            assert 0.0 <= figures[level]["low"] <= figures[level]["roc_auc"] + 1e-3 <= figures[level]["high"] + 2e-3 <= 1.0 + 3e-3
            assert 0.0 <= figures[level]["f1"] <= 1.0
    assert (printed["added"], printed["snr_db"], printed["seed"]) == (["Dog bark", "Clock tick"], [12.0, -12.0], 0)
    assert "hold 1.0 s of sound" in printed["skipped"]["siren"]


def test_envmix_means_are_means(printed: dict[str, Any]) -> None:
    drilling = printed["classes"]["drilling"]
    for level in LEVELS:
        expected = (drilling["12"][level]["roc_auc"] + drilling["-12"][level]["roc_auc"]) / 2
        assert printed["mean"][level]["roc_auc"] == pytest.approx(expected)
        assert drilling["mean"][level]["roc_auc"] == pytest.approx(expected)


def test_envmix_hears_and_shows_loud_sounds_better_than_faint_ones(printed: dict[str, Any]) -> None:
    loud, faint = printed["snr"]["12"], printed["snr"]["-12"]
    assert all(loud[level]["roc_auc"] > 0.7 for level in LEVELS)
    assert loud["sample"]["roc_auc"] >= faint["sample"]["roc_auc"]
    assert loud["sample"]["roc_auc"] + loud["spectrogram"]["roc_auc"] > faint["sample"]["roc_auc"] + faint["spectrogram"]["roc_auc"]


def test_envmix_again_and_with_fewer_ratios_gives_the_same_figures(
    manifest: Path, printed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark("--manifest", str(manifest), "--snr", "-12", "--classes", "drilling", "--format", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["classes"]["drilling"]["-12"] == printed["classes"]["drilling"]["-12"]


def test_envmix_in_text_is_a_table(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("--manifest", str(manifest), "--classes", "siren") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["class", "SNR", "dB"]
    assert lines[-1].startswith("skipped siren: ")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--classes", "drums"], "drums: no such class in the manifest; it has drilling, siren"),
        (["--snr", "loud"], "argument --snr"),
        (["--repeats", "0"], "argument --repeats"),
        (["--share", "1"], "argument --share: must be above 0 and below 1, not 1"),
        (["--snr-over", "day"], "argument --snr-over"),
    ],
)
def test_envmix_with_a_mistake_is_one_line_and_exit_code_two(
    manifest: Path, capsys: pytest.CaptureFixture[str], options: list[str], problem: str
) -> None:
    assert benchmark("--manifest", str(manifest), *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert problem in captured.err


def test_measure_class_never_learns_from_a_recording_that_it_tests_nor_from_more_than_it_may(manifest: Path) -> None:
    mix = envmix_of_manifest(read_manifest(manifest), ["drilling"])
    (drilling,) = mix.normal
    learned: list[set[Path]] = []

    class EnoughError(Exception):
        """No need to test."""

    def keep(fit: Any, seed: int, sieve: Sieve) -> Any:
        learned.append(set(fit))
        raise EnoughError

    for seed in range(3):
        with pytest.raises(EnoughError):
            measure_class(mix, drilling, [0.0], seed=seed, learn=keep)
    assert all(len(fit) == 3 and fit < set(drilling.recordings) for fit in learned)
    assert len({frozenset(fit) for fit in learned}) > 1

    learned.clear()
    for most in (1, 2, 3, 4):
        with pytest.raises(EnoughError):
            measure_class(mix, drilling, [0.0], most=most, learn=keep)
    assert [len(fit) for fit in learned] == [1, 2, 3, 3]
    assert learned[0] < learned[1] < learned[2] == learned[3]

    learned.clear()
    for share in (0.2, 0.5, 0.8):
        with pytest.raises(EnoughError):
            measure_class(replace(mix, share=share), drilling, [0.0], learn=keep)
    assert [len(fit) for fit in learned] == [2, 3, 5]


def test_measure_class_of_published_folders_learns_other_folds_than_it_tests(tmp_path: Path) -> None:
    """In the folds to learn from there is only silence to add; one test recording is too short, and later one sound is none."""
    street, everyday = tmp_path / "UrbanSound8K", tmp_path / "ESC-50-master"
    urbansound8k_tree(street, ["drilling"], folds=[1, 10], each=3)
    esc50_tree(everyday, ["dog", "clock_alarm"], folds=[1, 3])
    for number, path in enumerate(sorted((street / "audio").rglob("*.wav"))):
        soundfile.write(path, sound("drilling", number, RATE_HZ), RATE_HZ)
    for path in (everyday / "audio").glob("*.wav"):
        heard = sound("Dog bark" if path.stem.endswith("-0") else "Clock tick", 0, 44100)
        soundfile.write(path, heard * path.name.startswith("3"), 44100)
    mix = envmix_of_folders(street, everyday)
    (drilling,) = mix.normal
    short = street / "audio" / "fold10" / "10000-0-0-1.wav"
    soundfile.write(short, sound("drilling", 0, RATE_HZ)[: RATE_HZ // 10], RATE_HZ)
    learned: list[tuple[Sequence[Path], Model]] = []

    def learn_once(fit: Sequence[Path], seed: int, sieve: Sieve) -> Model:
        learned.append((fit, learn(fit, seed, sieve)))
        return learned[-1][1]

    result = measure_class(mix, drilling, [12.0], repeats=2, learn=learn_once)
    ((fit, model),) = learned
    assert fit == list(drilling.fit)
    assert {path.parent.name for path in fit} == {"fold1"}
    assert short in drilling.test
    assert (result.fit_clips, result.normal_clips, result.anomalous_clips) == (3, 2, 4)
    assert all(result.levels[12.0][level].roc_auc > 0.6 for level in LEVELS)
    assert [(Path(one.file), one.reason) for one in result.left_out] == [(short, "lasts 0.100 s; at least 0.25 s are needed to score it")]

    broken = mix.added[0].test[0]
    broken.write_text("no sound")
    again = measure_class(mix, drilling, [12.0], learn=lambda fit, seed, sieve: model)
    assert [Path(one.file) for one in again.left_out] == [broken, short]
    assert again.anomalous_clips == 2 if len(mix.added[0].test) == 1 else 4

    only = SoundClass("drilling", drilling.fit, (short,))
    with pytest.raises(UserError, match=r"recordings: no test recordings left; left out 2 of \d+: .*lasts 0\.100 s"):
        measure_class(replace(mix, normal=(only,)), only, [12.0], learn=lambda fit, seed, sieve: model)
    for sound_class in mix.added:
        for path in sound_class.test:
            path.write_text("no sound")
    with pytest.raises(UserError, match="recordings: no sounds to add left"):
        measure_class(mix, drilling, [12.0], learn=lambda fit, seed, sieve: model)


def test_truth_grid_of_a_tone_is_where_a_map_of_the_mixture_has_it(manifest: Path, tmp_path: Path) -> None:
    """The truth and the anomaly map must have one grid: a tone far above a hiss shows in both at the same cells."""
    recordings = envmix_of_manifest(read_manifest(manifest), ["drilling"]).normal[0].recordings
    model = learn(recordings[:4], 0, Sieve())
    clip = read_clip(recordings[5])
    tone = np.sqrt(2) * np.sin(2 * np.pi * 3000 * np.arange(RATE_HZ) / RATE_HZ)
    injection = Injection(tone.astype(np.float32), round(1.4 * RATE_HZ))
    mixture: Clip = injection.into(clip, 20.0)
    soundfile.write(tmp_path / "mixture.wav", mixture.samples, RATE_HZ, subtype="FLOAT")
    shown = anomaly_map(model, tmp_path / "mixture.wav")
    energy, added = truth_grid(injection, clip, PANNS, model.detector.bands)
    assert energy.shape == shown.shape
    assert (added.start * 0.04, added.stop * 0.04) == pytest.approx((1.4, 2.4), abs=0.05)
    truth = spectrogram_truth(energy, added)
    assert np.nanmean(shown[truth]) > 2 * np.nanmean(shown[: added.start - 10])
    shifts = {shift: np.nanmean(np.roll(shown, shift, axis=0)[truth]) for shift in range(-12, 13, 4)}
    assert max(shifts, key=shifts.__getitem__) == 0
    moments = np.flatnonzero(temporal_truth(energy, added))
    assert set(moments) <= set(range(added.start, added.stop))
    assert 0 < len(moments) <= (added.stop - added.start) // 2  # fewer than half: a steady tone has many equal moments


def test_envmix_with_another_system_measures_it_and_says_so(
    manifest: Path, printed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--snr", "-12", "--classes", "drilling", "--banks", "shared", "--coreset", "20", "--format", "json")
    assert benchmark("--manifest", str(manifest), *options) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["system"]["banks"], result["system"]["coreset"], printed["system"]["banks"]) == ("shared", 20, "per-band")
    assert result["classes"]["drilling"]["-12"] != printed["classes"]["drilling"]["-12"]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_file(), reason="the recordings to develop against are not beside this checkout")
def test_envmix_of_one_real_class_is_above_chance(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("--manifest", str(SHARED), "--classes", "engine_idling", "--snr", "6", "--format", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert all(result["mean"][level]["low"] > 0.5 for level in LEVELS)
    assert result["classes"]["engine_idling"]["anomalous_clips"] == 40
