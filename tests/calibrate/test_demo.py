"""The demo from end to end: synthesis, calibration, the embedded broker, the daemon in its own process, a subscriber, the verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auscult import main
from calibrate.demo.daemon import run_daemon, write_config
from edge.errors import AuscultError

pytest.importorskip("amqtt")
pytest.importorskip("matplotlib")

PROJECT = Path(__file__).resolve().parents[2]


def demo(*arguments: str, prelude: str = "pass") -> subprocess.CompletedProcess[str]:
    """Run `auscult demo` as a user does, on a machine without torch."""
    code = f"import sys; sys.modules['torch'] = None; {prelude}; from edge.console.cli import run_room; "
    code += "from calibrate.__main__ import COMMANDS; "
    code += "sys.exit(run_room(COMMANDS, 'calibrate', 'calibrate', sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", code, "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)


def check_result(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["passed"] is True
    assert result["failures"] == []
    assert [alert["injection"] for alert in result["alerts"]] == ["knock", "tone", "bearing"]
    for alert, injection in zip(result["alerts"], result["injections"], strict=True):
        assert alert["closed"] is True
        assert alert["peak_score"] >= 1.0
        assert alert["start_s"] <= injection["end_s"] + 0.5
        assert alert["end_s"] >= injection["start_s"] - 0.5
    tone = result["injections"][1]
    assert any(region["f_lo_hz"] <= tone["f_lo_hz"] <= region["f_hi_hz"] for region in result["alerts"][1]["regions"])
    assert result["windows"] > 400  # two scores per second of stream
    assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "machine.auscult").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_demo_with_a_short_calibration_hears_each_fault_once(tmp_path: Path) -> None:
    check_result(demo("--minutes", "6", "--output", str(tmp_path / "demo"), "--format", "json"), tmp_path / "demo")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_demo_at_full_length_hears_each_fault_once(tmp_path: Path) -> None:
    check_result(demo("--output", str(tmp_path), "--format", "json"), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_demo_of_another_machine_hears_each_fault_once(tmp_path: Path, seed: int) -> None:
    """From a third of the sound, which makes it harder."""
    check_result(demo("--minutes", "10", "--seed", str(seed), "--output", str(tmp_path), "--format", "json"), tmp_path)


@pytest.mark.parametrize("package", ["amqtt", "matplotlib"])
def test_demo_without_its_extra_says_what_to_install_before_working(tmp_path: Path, package: str) -> None:
    done = demo("--output", str(tmp_path / "demo"), prelude=f"sys.modules['{package}'] = None")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"auscult: this needs the package {package}; install it with: pip install 'auscult[demo]'\n"
    assert not (tmp_path / "demo").exists()


def test_demo_output_that_is_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    assert main(["demo", "--output", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err == f"auscult: {tmp_path / 'file'}: cannot make this folder: File exists; choose another --output\n"


def test_daemon_that_fails_is_reported_in_its_own_words(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    write_config(config, tmp_path / "machine.auscult", tmp_path / "stream.flac", "127.0.0.1", 1)
    with pytest.raises(AuscultError, match=r"the daemon ended with exit code 2: .*stream\.flac"):
        run_daemon(config, 60.0)


@pytest.mark.slow
def test_demo_learns_a_machine_without_a_recording_and_hears_its_fault(tmp_path: Path) -> None:
    done = demo("--learn", "--output", str(tmp_path), "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert 60.0 * 10 < found["first_score_s"] < 60.0 * 15
    told = [one["what"] for one in found["happenings"]]
    assert told[0].startswith("listening, the first minutes of sound are gathered; no alarms for about 15 min")
    assert [one.split(":")[0] for one in told if one.startswith("event")] == ["event opened", "event closed"]
    assert told[-3:-1] == ["marked as real: ok", "rolled back: ok"]
    assert told[-1].startswith("listening")


def test_demo_that_learns_is_not_watched(tmp_path: Path) -> None:
    done = demo("--learn", "--watch", "--output", str(tmp_path / "none"))
    assert (done.returncode, done.stderr) == (2, "auscult: --learn: goes without --watch; leave one of them out\n")
