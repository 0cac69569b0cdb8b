"""`auscult calibrate --report`: what was printed, in a page that holds everything and trusts no name."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from calibrate.calibration import Calibration
from calibrate.checks import CheckedRecordings
from calibrate.learned import Learned, RecordingScore
from calibrate.recordings import Finding, Problem, RecordingReport
from calibrate.report.calibration_report import MOST_PICTURES, write_calibration_report
from calibrate.settings import CalibrationSettings
from edge.bundles.bundle import Bundle
from edge.console.cli import run_command
from edge.errors import AuscultError
from edge.features.frontend import PANNS
from edge.judgement.tail import Tail
from edge.judgement.threshold import Threshold
from tests.bundles import CalibratedMachine
from tests.calibrate.report.reading import Report

pytest.importorskip("matplotlib", reason="reports need the extra [report]")

RATE_HZ = 16000
HOSTILE = "<script>alert(1)<&> \"double\" 'single'.wav"
LARGEST_BYTES = 4_000_000  # with 5,000 recordings, as docs/calibrate.md says


def noise(path: Path, seed: int, level: float = 0.05, seconds: float = 5.0) -> None:
    samples = level * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
    soundfile.write(path, np.clip(samples, -1, 1), RATE_HZ)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Six alike, one of them with a hostile name; one much louder, one that cannot be read."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for index in range(5):
        noise(folder / f"{index}.wav", index)
    noise(folder / HOSTILE, 5)
    noise(folder / "loud.wav", 6, level=0.4)
    (folder / "broken.wav").write_bytes(b"RIFF nonsense")
    return folder


def calibrate(recordings: Path, output: Path, *options: str | Path) -> int:
    quick = ("--backbone", "logmel", "--coreset", "50", "--false-alarms-per-week", "1000", "--bad-recordings", "drop")
    arguments = ["--recordings", recordings, "--output", output, *quick, *options]
    return run_command("calibrate.commands.calibrate", "auscult calibrate", [str(argument) for argument in arguments])


def test_calibrate_report_says_what_was_printed(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, output = tmp_path / "report.html", tmp_path / "pump1.auscult"
    assert calibrate(recordings, output, "--report", page, "--format", "json") == 0
    printed = json.loads(capsys.readouterr().out)
    report = Report(page)
    assert f"sha256:{Bundle.read(output).sha256}" in report.text
    assert printed["threshold_note"] in report.text
    assert printed["detection_limit"][1:] in report.text
    for warning in printed["warnings"]:
        assert " ".join(warning.split()) in report.text
    assert "30.2 min of recordings, over all loads of the machine, would support 1000 per week" in report.text
    assert f"recordings {printed['recordings']} left out 1" in " ".join(report.text.split())
    rows = {row[0]: row for row in report.rows}
    assert rows.keys() >= {str(path) for path in recordings.iterdir()}
    assert rows[str(recordings / "broken.wav")][1:5] == ["\N{EN DASH}"] * 4
    assert rows[str(recordings / "broken.wav")][-1].startswith("left out; not a WAV")
    assert "outlier" in rows[str(recordings / "loud.wav")][-1]
    scores = [float(row[1]) for row in report.rows if row[0].endswith(".wav") and row[1] != "\N{EN DASH}"]
    assert len(scores) == 7
    assert scores == sorted(scores, reverse=True)
    assert report.images == 7  # all that can be read
    assert report.frames.count("odd") >= 1  # the loud one
    assert {"level", "profile", "dynamics", "logmel_sustained", "excess_moment"} <= set(rows)
    assert not [name for name in rows if name.endswith(("_cell", "_second"))]  # scales, but no heads
    assert rows["false alarms per week"][1] == "1000.0"
    assert len([tag for tag in report.tags if tag == "svg"]) == 4


def test_calibrate_report_takes_a_hostile_name_for_a_name(recordings: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert calibrate(recordings, tmp_path / f"{HOSTILE[:-4]}.auscult", "--report", page) == 0
    report = Report(page)  # which knows no tag `script`
    assert "<script" not in report.source
    assert f"Calibration of {HOSTILE[:-4]}.auscult" in report.text
    assert str(recordings / HOSTILE) in {row[0] for row in report.rows}


def test_calibrate_report_takes_a_name_that_is_not_utf8(recordings: Path, tmp_path: Path) -> None:
    (recordings / "0.wav").rename(recordings / os.fsdecode(b"pump\xff.wav"))
    page = tmp_path / "report.html"
    assert calibrate(recordings, tmp_path / "pump1.auscult", "--report", page) == 0
    assert "pump\\udcff.wav" in Report(page).text


def test_calibrate_report_may_take_the_place_of_an_older_one(recordings: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    for _ in range(2):
        assert calibrate(recordings, tmp_path / "pump1.auscult", "--report", page) == 0
    assert page.stat().st_size > 10_000


@pytest.mark.parametrize("place", ["missing/report.html", "recording.wav", "folder"])
def test_calibrate_report_that_cannot_be_written_is_one_line_before_any_work(
    recordings: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    noise(tmp_path / "recording.wav", 0)
    before = (tmp_path / "recording.wav").read_bytes()
    (tmp_path / "folder").mkdir()
    output = tmp_path / "pump1.auscult"
    assert calibrate(recordings, output, "--report", tmp_path / place) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"auscult: {tmp_path / place}: ")
    assert "--report another" in line
    assert not output.exists()
    assert (tmp_path / "recording.wav").read_bytes() == before


def test_calibrate_report_without_matplotlib_says_what_to_install_before_any_work(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert calibrate(recordings, tmp_path / "pump1.auscult", "--report", tmp_path / "report.html") == 2
    assert capsys.readouterr().err == "auscult: this needs the package matplotlib; install it with: pip install 'auscult[report]'\n"
    assert not (tmp_path / "pump1.auscult").exists()


def test_calibrate_report_does_not_go_with_a_fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--manifest", "fleet.csv", "--output-dir", str(tmp_path), "--report", "report.html"]
    assert run_command("calibrate.commands.calibrate", "auscult calibrate", arguments) == 2
    assert "--report does not go with --manifest" in capsys.readouterr().err


def learned_of(reports: tuple[RecordingReport, ...]) -> Learned:
    scores = {index: RecordingScore(0.2 + 0.5 * index / len(reports), 1.0, 0.1, 0.1) for index in range(len(reports))}
    return Learned(CheckedRecordings(reports, (), ()), PANNS, Threshold(20.0, Tail(5.0, 1e-3, 2.0, 0.0)), scores, None)


def result_of(machine: CalibratedMachine, **changed: Any) -> Calibration:
    told: dict[str, Any] = {
        "bundle": machine.bundle,
        "recordings": 5000,
        "seconds": 1000.0,
        "bandwidth_hz": 14000.0,
        "dropped": (),
        "warnings": (),
        "threshold_note": "",
        "detection_limit": "",
        "detection_limit_db": {},
        "supported_false_alarms_per_week": 1000.0,
        "seconds_needed": 1000,
        "bytes": 1,
        **changed,
    }
    return Calibration(**told)


def test_report_of_thousands_of_recordings_stays_small_and_names_them_all(machine: CalibratedMachine, tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    noise(sound, 0, seconds=2.0)
    reports = []
    for index in range(5000):
        path = tmp_path / f"a name that is as long as people make them, with the date 2026-11-29 and the shift, {index:04d}.wav"
        path.hardlink_to(sound)
        findings = (Finding(Problem.OUTLIER, "outlier: its mean spectrum lies 9 dB from the others'"),) if index % 100 == 0 else ()
        reports.append(RecordingReport(path, 2.0, RATE_HZ, -26.0, 0.0, 8000.0, findings, np.zeros(64, np.float32)))
    page = tmp_path / "report.html"
    write_calibration_report(page, result_of(machine), learned_of(tuple(reports)), CalibrationSettings())
    report = Report(page)
    assert page.stat().st_size < LARGEST_BYTES
    assert report.images == MOST_PICTURES
    assert {row[0] for row in report.rows} >= {str(one.path) for one in reports}
    assert report.frames.count("odd") == MOST_PICTURES // 2  # of the fifty odd ones
    assert f"{MOST_PICTURES} of 5000 recordings: those with remarks, the highest scores, and some of the rest" in report.text


def test_report_of_a_recording_that_is_gone_since_leaves_its_picture_out(machine: CalibratedMachine, tmp_path: Path) -> None:
    gone = RecordingReport(tmp_path / "gone.wav", 2.0, RATE_HZ, -26.0, 0.0, 8000.0, (), np.zeros(64, np.float32))
    write_calibration_report(tmp_path / "report.html", result_of(machine), learned_of((gone,)), CalibrationSettings())
    report = Report(tmp_path / "report.html")
    assert report.images == 0
    assert str(gone.path) in report.text


def test_report_that_the_disk_does_not_take_is_one_line(machine: CalibratedMachine, tmp_path: Path) -> None:
    with pytest.raises(AuscultError, match="the report could not be written: No such file or directory; everything else was written"):
        write_calibration_report(tmp_path / "gone" / "report.html", result_of(machine), learned_of(()), CalibrationSettings())
