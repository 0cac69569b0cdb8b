from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.audio.audio_file import find_audio_files
from edge.console.cli import run_command
from tests.pulse import PulseServer

RATE_HZ = 8000
PROGRAM = "import sys; from edge.console.cli import run_command; sys.exit(run_command('calibrate.commands.record', 'record', sys.argv[1:]))"


def record(*arguments: str | Path) -> int:
    return run_command("calibrate.commands.record", "auscult calibrate record", [str(argument) for argument in arguments])


def start(*arguments: str | Path, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=stderr, text=True)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    soundfile.write(tmp_path / "pump.wav", rng.uniform(-0.3, 0.3, 3 * RATE_HZ), RATE_HZ)
    path = tmp_path / "config.yaml"
    path.write_text(
        "node: hall1\nmqtt: {host: localhost}\nsources:\n"
        "  pump1: {bundle: pump1.auscult, files: {paths: [pump.wav]}}\n"
        "  pump2: {bundle: pump1.auscult, files: {paths: [pump.wav], realtime: true, loop: true}}\n"
    )
    return path


def test_record_source_of_the_config_gives_files_and_a_summary(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert record("--config", config, "--source", "pump1", "--minutes", "0.025", "--output", out, "--format", "json") == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert summary["seconds"] == 1.5
    assert [out / name for name in summary["files"]] == find_audio_files([out])
    assert printed.err == ""  # no meter in a pipe


def test_record_text_summary_is_for_people(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record("--config", config, "--source", "pump1", "--output", tmp_path / "out") == 0
    assert capsys.readouterr().out.startswith("3.0 s of pump1 (")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "pump3"], "no source 'pump3'; available: pump1, pump2"),
        ([], "needs --source NAME or --device TEXT"),
        (["--source", "pump1", "--minutes", "0"], "must be above 0, not 0"),
        (["--source", "pump1", "--minutes", "half"], "must be a number, not 'half'"),
        (["--device", "1"], "not a name"),
        (["--device", "default", "--channel", "left"], "must be a number"),
    ],
)
def test_record_mistake_is_one_line_and_exit_2(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert record("--config", config, "--output", tmp_path / "out", *arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_record_interrupted_keeps_everything(config: Path, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    process = start("--config", config, "--source", "pump2", "--output", out, "--format", "json")
    while not list(out.glob(".*.part")):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    printed, errors = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert errors == ""
    summary = json.loads(printed)
    (file,) = find_audio_files([out])
    assert soundfile.info(file).frames == round(summary["seconds"] * RATE_HZ) > 0
    assert not list(out.glob(".*"))


def test_record_terminal_shows_a_meter(config: Path, tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    process = start("--config", config, "--source", "pump2", "--minutes", "0.01", "--output", tmp_path / "out", stderr=terminal)
    printed, _ = process.communicate(timeout=10)
    os.close(terminal)
    shown = os.read(controller, 1 << 16).decode()
    os.close(controller)
    assert process.returncode == 0
    assert "00:00 / 00:00 [" in shown
    assert "dBFS  peak" in shown
    assert printed.startswith("0.6 s of pump2")


def test_record_microphone_by_its_name(pulse: PulseServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tone = (0.25 * np.sin(2 * np.pi * 440 * np.arange(5 * 48000) / 48000)).astype(np.float32)
    pulse.play(tone)
    out = tmp_path / "out"
    assert record("--device", "auscult", "--minutes", "0.04", "--output", out, "--format", "json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["source"], summary["lost_s"], summary["rate_hz"]) == ("auscult", 0.0, 44100)
    (file,) = find_audio_files([out])
    samples, rate_hz = soundfile.read(file)
    assert rate_hz == 44100
    assert len(samples) == round(2.4 * 44100)
    last = samples[-22050:]
    assert np.sqrt(2 * np.mean(last**2)) == pytest.approx(0.25, rel=0.02)
