"""`auscult calibrate` as a shell sees it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.bundles.bundle import Bundle
from edge.console.cli import run_command
from edge.model import Model
from edge.scoring import score_file

ROOT = Path(__file__).parents[3]
RATE_HZ = 16000
FEW = ("--coreset", "50")


def write_noise(path: Path, seconds: float, seed: int = 0, level: float = 0.05) -> Path:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.clip(level * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ)), -1, 1), RATE_HZ)
    return path


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    for index in range(3):
        write_noise(tmp_path / "recordings" / f"{index}.wav", 5.0, index)
    return tmp_path / "recordings"


def call(*arguments: str | Path, module: str = "auscult") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def calibrate(*arguments: str | Path) -> int:
    """In this process, where nothing has to be imported again."""
    return run_command("calibrate.commands.calibrate", "auscult calibrate", [str(argument) for argument in arguments])


def test_calibrate_in_json_is_one_object_on_stdout_and_warnings_on_stderr(recordings: Path, tmp_path: Path) -> None:
    output = tmp_path / "pump1.auscult"
    done = call("calibrate", "--recordings", recordings, "--output", output, *FEW, "--format", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    learned = {"bundle", "recordings", "seconds", "bandwidth_hz", "dropped", "warnings", "bytes"}
    assert set(result) == learned | {
        *("threshold_note", "supported_false_alarms_per_week", "seconds_needed"),
        *("detection_limit", "detection_limit_db"),
    }
    assert (result["supported_false_alarms_per_week"], result["seconds_needed"]) == (120_960.0, 1_814_400)
    assert (result["bundle"], result["recordings"], result["seconds"]) == (str(output), 3, 15.0)
    assert done.stderr == f"auscult: warning: {result['threshold_note']}\n"  # no progress bar in a pipe
    assert Model.load(output).bundle.manifest.detector.parameters["coreset"] == 50


def test_calibrate_in_text_is_for_people(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "pump1.auscult"
    assert calibrate("--recordings", recordings, "--output", output, *FEW) == 0
    printed = capsys.readouterr().out
    assert re.search(rf"^bundle +{re.escape(str(output))}$", printed, re.MULTILINE)
    assert re.search(r"^recordings +3$", printed, re.MULTILINE)
    assert re.search(r"^detection limit +with these recordings a band (must be .* dB louder|that gets louder) .*$", printed, re.MULTILINE)
    assert "detection limit db" not in printed  # the same in figures


def test_calibrate_detection_limit_is_printed_and_in_the_manifest(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "pump1.auscult"
    options = ["--backbone", "logmel", "--false-alarms-per-week", "1000", "--format", "json", *FEW]
    assert calibrate("--recordings", recordings, "--output", output, *options) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["detection_limit_db"]) == ["63", "125", "250", "500", "1000", "2000", "4000"]
    assert all(limit is None or 0.0 < limit < 30.0 for limit in result["detection_limit_db"].values())
    assert any(limit is not None for limit in result["detection_limit_db"].values())
    assert result["detection_limit"].startswith("with these recordings a band must be ")
    assert Bundle.read(output).manifest.threshold.detection_limit_db == result["detection_limit_db"]


@pytest.mark.parametrize("option", [("--ignore-level",), ("--level", "relative"), ("--level", "absolute", "--ignore-level"), ()])
def test_calibrate_that_ignores_the_level_gives_a_bundle_that_a_gain_does_not_alarm(
    option: tuple[str, ...], recordings: Path, tmp_path: Path
) -> None:
    for index in range(3, 8):
        write_noise(recordings / f"{index}.wav", 5.0, index)
    output = tmp_path / "pump1.auscult"
    quick = ["--backbone", "logmel", "--false-alarms-per-week", "1000", *FEW]
    assert calibrate("--recordings", recordings, "--output", output, *option, *quick) == 0
    parameters = Bundle.read(output).manifest.detector.parameters
    model = Model.load(output)
    normal = score_file(model, write_noise(tmp_path / "normal.wav", 5.0, 99)).score
    louder = score_file(model, write_noise(tmp_path / "louder.wav", 5.0, 99, 0.1)).score  # by 6 dB
    assert normal < 1.0
    if option:
        assert parameters["steady"] == {"heads": ["profile", "dynamics"], "level": "relative"}
        assert louder == pytest.approx(normal, abs=0.05)
    else:
        assert parameters["steady"] == {"heads": ["level", "profile", "dynamics"], "level": "absolute"}
        assert louder > 1.0


def test_calibrate_takes_files_and_folders_and_every_option(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_noise(tmp_path / "other.flac", 5.0, 9)
    silent = write_noise(tmp_path / "silent.wav", 5.0, level=0.0)
    output = tmp_path / "b.auscult"
    options = ["--detector", "patchcore", "--backbone", "cnn14-random", "--false-alarms-per-week", "0.5", "--channel", "mix", "--seed", "7"]
    options += ["--banks", "shared", "--bad-recordings", "drop", "--odd-recordings", "drop", "--format", "json", *FEW]
    assert calibrate("--recordings", recordings, other, silent, "--output", output, *options) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["recordings"], result["dropped"]) == (4, [str(silent)])
    manifest = Bundle.read(output).manifest
    assert manifest.threshold.false_alarms_per_week == 0.5
    assert (manifest.detector.parameters["seed"], manifest.detector.parameters["banks"]) == (7, "shared")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--false-alarms-per-week", "0"), "must be from 0.0001 to 100000, not 0"),
        (("--false-alarms-per-week", "-1"), "must be from 0.0001 to 100000, not -1"),
        (("--false-alarms-per-week", "nan"), "must be from 0.0001 to 100000, not nan"),
        (("--false-alarms-per-week", "few"), "must be a number, not 'few'"),
        (("--coreset", "9"), "must be from 10 to 5000, not 9"),
        (("--coreset", "1e3"), "must be a whole number, not '1e3'"),
        (("--seed", "-1"), "must be 0 or more, not -1"),
        (("--channel", "left"), "argument --channel"),
        (("--detector", "magic"), "no such detector: 'magic'"),
        (("--banks", "none"), "invalid choice: 'none'"),
        (("--level", "none"), "invalid choice: 'none'"),
        (("--output",), "argument --output"),
        (("--recordings",), "argument --recordings"),
    ],
)
def test_calibrate_with_a_bad_argument_is_one_line(options: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate("--recordings", "a.wav", "--output", "b.auscult", *options) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"auscult calibrate: .+; see `auscult calibrate --help`\n", printed.err)
    assert problem in printed.err


@pytest.mark.parametrize("missing", ["--recordings", "--output"])
def test_calibrate_without_what_it_needs_names_it(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"--recordings": "a.wav", "--output": "b.auscult"}
    del given[missing]
    assert calibrate(*(part for option in given.items() for part in option)) == 2
    assert f"required: {missing}" in capsys.readouterr().err


def test_calibrate_without_recordings_or_a_place_for_the_bundle_is_one_line(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    output = tmp_path / "b.auscult"
    missing = tmp_path / "missing"
    for given, where, problem in (
        (tmp_path / "empty", output, f"{tmp_path / 'empty'}: no audio file (WAV, FLAC, OGG, MP3) in this folder"),
        (tmp_path / "missing", output, f"{tmp_path / 'missing'}: no such file or folder"),
        (recordings, tmp_path / "missing" / "b.auscult", f"there is no folder {missing}; make it first, or give --output another"),
        (recordings, recordings / "0.wav", "0.wav: exists and is not a bundle; give --output another name"),
        (recordings / "0.wav", output, "hold 5.0 s of sound; at least 10 s are needed; record more"),
    ):
        assert calibrate("--recordings", given, "--output", where) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("auscult: ")
        assert printed.err.endswith(f"{problem}\n")
        assert printed.err.count("\n") == 1
    assert not output.exists()


def test_calibrate_help_shows_how_to_record_and_how_to_learn() -> None:
    done = call("calibrate", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "auscult calibrate record --source pump1 --minutes 30 --output recordings/" in done.stdout
    assert "auscult calibrate --recordings recordings/ --output pump1.auscult" in done.stdout


@pytest.mark.parametrize(("module", "before"), [("auscult", ("calibrate",)), ("calibrate", ())])
def test_calibrate_record_is_a_command_of_its_own(module: str, before: tuple[str, ...], tmp_path: Path) -> None:
    write_noise(tmp_path / "pump.wav", 2.0)
    (tmp_path / "config.yaml").write_text(
        "node: hall1\nmqtt: {host: localhost}\nsources:\n  pump1: {bundle: pump1.auscult, files: {paths: [pump.wav]}}\n"
    )
    arguments = ("--config", tmp_path / "config.yaml", "--source", "pump1", "--output", tmp_path / "out", "--format", "json")
    done = call(*before, "record", *arguments, module=module)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["seconds"] == 2.0
    wrong = call(*before, "record", "--minutes", "0", "--output", "x", module=module)
    program = " ".join([*(("auscult",) if module == "auscult" else ("python -m calibrate",)), *before, "record"])
    assert (wrong.returncode, wrong.stderr.partition(":")[0]) == (2, program)


def test_calibrate_learns_without_a_name_of_its_own_in_its_room(recordings: Path, tmp_path: Path) -> None:
    done = call("--recordings", recordings, "--output", tmp_path / "b.auscult", *FEW, module="calibrate")
    assert done.returncode == 0, done.stderr
    assert Bundle.read(tmp_path / "b.auscult").manifest.data.recordings == 3


def test_calibrate_when_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    loud = write_noise(tmp_path / "loud.wav", 300.0, level=1.0)  # it clips: the warning says that the long work begins
    command = [sys.executable, "-m", "auscult", "calibrate", "--recordings", str(loud), "--output", str(tmp_path / "b.auscult")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, restore_signals=True) as process:
        assert process.stderr is not None
        assert "clipped" in process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == [loud]
