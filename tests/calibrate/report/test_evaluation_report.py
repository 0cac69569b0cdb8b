"""`auscult evaluate --report`: the figures that are printed, and the recordings at both ends with their maps."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.bundles.bundle import Bundle
from edge.console.cli import run_command
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.calibrate.report.reading import Report

pytest.importorskip("matplotlib", reason="reports need the extra [report]")
pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

HOSTILE = "<img src=x onerror=alert(1)>.wav"


@pytest.fixture(scope="module")
def folder(machine: CalibratedMachine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six recordings of the machine, six with a tone, one of nothing."""
    folder = tmp_path_factory.mktemp("evaluate")
    parts = np.split(machine.samples[: 24 * RATE_HZ], 12)
    tone = 0.3 * np.sin(2 * np.pi * 3300.0 / RATE_HZ * np.arange(2 * RATE_HZ))
    for kind, samples in (("normal", parts[:6]), ("anomalous", [part + tone for part in parts[6:]])):
        (folder / kind).mkdir()
        for index, part in enumerate(samples):
            soundfile.write(folder / kind / (HOSTILE if index == 0 and kind == "anomalous" else f"{index}.wav"), part, RATE_HZ)
    (folder / "anomalous" / "broken.wav").write_bytes(b"RIFF nonsense")
    return folder


def evaluate(machine: CalibratedMachine, folder: Path, *options: str | Path) -> int:
    arguments = ["--bundle", machine.bundle, "--normal", folder / "normal", "--anomalous", folder / "anomalous", *options]
    return run_command("calibrate.commands.evaluate", "auscult evaluate", [str(argument) for argument in arguments])


def test_evaluate_report_says_what_was_printed(
    machine: CalibratedMachine, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    assert evaluate(machine, folder, "--report", page) == 0
    printed = capsys.readouterr().out
    report = Report(page)
    figures = re.findall(r"^(ROC AUC|pAUC \(up to 0\.1\)|best F1|detected fraction|false alarm fraction) +([\d.]+)", printed, re.MULTILINE)
    assert len(figures) == 5
    for name, value in figures:
        assert f"{name} {value}" in report.text
    (interval,) = re.findall(r"95 % interval [\d.]+ - [\d.]+", printed)
    assert interval in report.text
    assert f"sha256:{Bundle.read(machine.bundle).sha256}" in report.text
    rows = {row[0]: row for row in report.rows[1:]}
    assert len(rows) == 13
    assert rows[str(folder / "anomalous" / HOSTILE)][1] == "anomalous"
    assert float(rows[str(folder / "anomalous" / HOSTILE)][2]) > 1.0
    assert rows[str(folder / "anomalous" / HOSTILE)][3] == "alarm"
    assert rows[str(folder / "anomalous" / "broken.wav")][-1].startswith("left out: not a WAV")
    assert report.images == 2 * 16  # spectrogram and map, of four of each class at each end
    assert "<img src=x" not in report.source
    assert [tag for tag in report.tags if tag == "svg"] == ["svg"] * 2


def test_evaluate_report_that_cannot_be_written_is_one_line_before_any_work(
    machine: CalibratedMachine, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluate(machine, folder, "--report", tmp_path / "no" / "report.html") == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert evaluate(machine, folder, "--report", tmp_path / "report.html") == 2
    assert "pip install 'auscult[report]'" in capsys.readouterr().err
