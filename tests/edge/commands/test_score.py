from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auscult import main
from edge.commands.score import _text
from edge.judgement.window import Localization, Region, Window
from edge.scoring import FileScore
from export.synthesis import inject, tone_fault
from tests.bundles import RATE_HZ, CalibratedMachine


@pytest.fixture
def recordings(machine: CalibratedMachine, tmp_path: Path) -> Path:
    """A folder with a normal and a faulty recording, the latter in a folder of its own."""
    (tmp_path / "in" / "bad").mkdir(parents=True)
    shutil.copy(machine.recordings[0], tmp_path / "in" / "a.wav")
    samples = inject(machine.samples[: 12 * RATE_HZ], tone_fault(RATE_HZ, 1, 3.0, 5200.0, -30.0), 4.0)
    soundfile.write(tmp_path / "in" / "bad" / "b.flac", samples, RATE_HZ)
    return tmp_path / "in"


def test_score_prints_a_json_line_per_file(machine: CalibratedMachine, recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--bundle", str(machine.bundle), str(recordings)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    good, bad = map(json.loads, out.splitlines())
    for result in (good, bad):
        assert list(result) == ["file", "score", "seconds", "windows"]
        for window in result["windows"]:
            assert set(window) == {"t_start_s", "t_end_s", "score", "p_value", "anomalous", "heads", "lost_s", "localization"}
            assert set(window["heads"]) == {
                "cnn14_moment",
                "cnn14_sustained",
                "logmel_sustained",
                "excess_moment",
                "level",
                "profile",
                "dynamics",
            }
            assert sum(window["heads"].values()) == pytest.approx(window["score"], rel=0.01)
            assert window["anomalous"] == (window["score"] >= 1.0)
            assert 0.0 <= window["p_value"] <= 1.0
            assert window["localization"]["cell_s"] == 0.04
    assert (good["file"], bad["file"]) == (str(recordings / "a.wav"), str(recordings / "bad" / "b.flac"))
    assert (good["seconds"], bad["seconds"]) == (6.0, 12.0)
    assert len(good["windows"]) == 1
    assert [window["t_end_s"] for window in bad["windows"]] == [10.0, 10.48, 11.0, 11.48, 12.0]
    assert good["score"] < 1.0 < bad["score"]
    assert bad["score"] == max(window["score"] for window in bad["windows"])
    region = max(bad["windows"], key=lambda window: window["score"])["localization"]["regions"][0]
    assert region["f_lo_hz"] < 5200.0 < region["f_hi_hz"]
    assert not any(window["localization"]["regions"] for window in good["windows"])


def test_score_text_is_a_short_line_per_file(machine: CalibratedMachine, recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--bundle", str(machine.bundle), "--format", "text", str(recordings)]) == 0
    good, bad = capsys.readouterr().out.splitlines()
    assert good.split()[1] == "normal"
    assert good.endswith("a.wav")
    assert bad.split()[1] == "ANOMALOUS"
    assert float(bad.split()[0]) > 1.0
    assert bad.endswith("Hz")


def test_score_bad_files_among_good_ones_cost_the_exit_code_only(
    machine: CalibratedMachine, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recordings / "b-broken.wav").write_bytes(b"RIFF and nothing else")
    soundfile.write(recordings / "c-narrow.wav", machine.samples[:32000], 16000)
    soundfile.write(recordings / "d-short.wav", machine.samples[:320], RATE_HZ)
    soundfile.write(recordings / "e-silent.wav", np.zeros(RATE_HZ), RATE_HZ)
    shutil.copy(recordings / "a.wav", recordings / "z.wav")
    assert main(["score", "--bundle", str(machine.bundle), str(recordings)]) == 2
    out, err = capsys.readouterr()
    assert [Path(json.loads(line)["file"]).name for line in out.splitlines()] == ["a.wav", "b.flac", "z.wav"]
    *lines, last = err.splitlines()
    assert last == "auscult: 4 of 7 files could not be scored"
    for line, name in zip(lines, ("b-broken.wav", "c-narrow.wav", "d-short.wav", "e-silent.wav"), strict=True):
        assert line.startswith("auscult: ")
        assert name in line


def test_score_text_gives_times_of_the_file_not_of_its_window() -> None:
    region = Region(t0_s=1.5, t1_s=2.0, f_lo_hz=100.0, f_hi_hz=200.0, score=3.0)
    windows = [
        Window(0.0, 10.0, 0.5, 0.1, False, {}, 0.0, Localization(0.04, np.zeros(250, np.float32), ())),
        Window(20.0, 30.0, 3.0, 0.1, True, {}, 0.0, Localization(0.04, np.zeros(250, np.float32), (region,))),
    ]
    assert _text(FileScore(Path("fan.wav"), 3.0, 30.0, tuple(windows))).endswith("fan.wav  21.50-22.00 s 100-200 Hz")


@pytest.mark.parametrize("form", ["jsonl", "text"])
def test_score_file_name_that_is_no_utf8_is_reported_with_its_bytes(
    machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    recording = tmp_path / os.fsdecode(b"caf\xe9.wav")
    shutil.copy(machine.recordings[0], recording)
    assert main(["score", "--bundle", str(machine.bundle), str(recording), "--format", form]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "caf\\udce9.wav" in (json.loads(line)["file"] if form == "jsonl" else line)


@pytest.mark.parametrize("missing", ["bundle", "recording", "sound"])
def test_score_what_is_missing_is_one_line(
    machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    (tmp_path / "empty").mkdir()
    bundle = tmp_path / "pump1.auscult" if missing == "bundle" else machine.bundle
    recording = {"bundle": machine.recordings[0], "recording": tmp_path / "gone.wav", "sound": tmp_path / "empty"}[missing]
    assert main(["score", "--bundle", str(bundle), str(recording)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert {"bundle": "no such bundle", "recording": "no such file", "sound": "no audio file"}[missing] in line


def test_score_recording_given_as_bundle_is_one_line(machine: CalibratedMachine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--bundle", str(machine.recordings[0]), str(machine.recordings[0])]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "not a zip archive" in line


def test_score_channel_that_is_none_is_one_line(machine: CalibratedMachine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--bundle", str(machine.bundle), str(machine.recordings[0]), "--channel", "left"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'left' must be a number" in line
