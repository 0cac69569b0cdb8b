from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.delay import Delays
from benchmarks.promise import Kept, pooled
from benchmarks.rate import Rate
from edge.console.cli import run_command
from export.synthesis import MachineDesign, RotatingMachine

QUICK = ("--backbone", "logmel", "--coreset", "50")


def benchmark(*options: str) -> int:
    return run_command("benchmarks.commands.benchmark", "auscult benchmark", ["promise", *QUICK, *options])


def kept(count: int, seconds: float, predicted: float) -> Kept:
    return Kept(5, 1.0, 6048.0, 1814400.0, predicted, Rate(count, seconds))


def test_pooled_adds_up_what_became_of_the_same_promise() -> None:
    together = pooled([[kept(1, 3600.0, 1.0), kept(5, 3600.0, 100.0)], [kept(2, 3600.0, 3.0), kept(0, 3600.0, 100.0)]])
    assert [(one.observed, one.predicted_per_week) for one in together] == [(Rate(3, 7200.0), 2.0), (Rate(5, 7200.0), 100.0)]


def test_delays_of_faults_that_nobody_was_reported_have_no_quantile() -> None:
    assert Delays(5, 1.0, "tone", (), 3, 0).quantile_s(0.5) is None
    assert Delays(5, 1.0, "tone", (1.0, 2.0, 4.0), 0, 0).quantile_s(0.5) == 2.0


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """One minute to learn from, two to hear, and three faults."""
    options = ["--minutes", "1", "--hours", "0.03", "--faults", "1", "--false-alarms-per-week", "1000", "1", "--format", "json"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert benchmark(*options) == 0
    document: dict[str, Any] = json.loads(printed.getvalue())
    return document


def test_promise_counts_alarms_for_every_promise_with_their_interval(measured: dict[str, Any]) -> None:
    assert [(one["minutes"], one["promised_per_week"]) for one in measured["promise"]] == [(1, 1.0), (1, 1000.0)]
    for one in measured["promise"]:
        assert one["supported_per_week"] == pytest.approx(30240)
        assert not one["supported"]
        assert one["predicted_per_week"] == pytest.approx(one["promised_per_week"])
        assert one["expected"] == pytest.approx(one["promised_per_week"] * 0.03 / 168)
        assert one["observed_per_week"] == pytest.approx(one["alarms"] * 168 / 0.03)
        assert one["low"] <= one["observed_per_week"] <= one["high"]
    assert [one["minutes_needed"] for one in measured["promise"]] == pytest.approx([30240, 30.24])
    # Not that more come at a lower threshold: two events may be one there.
    assert bool(measured["promise"][0]["alarms"]) <= bool(measured["promise"][1]["alarms"])


def test_promise_tells_how_soon_faults_of_each_kind_are_reported(measured: dict[str, Any]) -> None:
    assert [(one["promised_per_week"], one["kind"]) for one in measured["delay"]] == [
        (promise, kind) for promise in (1.0, 1000.0) for kind in ("knock", "tone", "bearing")
    ]
    assert all(len(one["delays_s"]) + one["missed"] + one["hidden"] == 1 for one in measured["delay"])
    told = [delay for one in measured["delay"] for delay in one["delays_s"]]
    assert told
    assert all(0.5 < delay < 25.0 for delay in told)  # an event has to last half a second


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fan that goes on as it was, a pump that does not, and a motor without anything to learn from."""
    folder = tmp_path_factory.mktemp("manifest")
    rows = ["path,dataset,unit,role,label"]
    for unit, roles in (("fan", ("fit", "test")), ("pump", ("fit", "test")), ("motor", ("test",))):
        machine = RotatingMachine(1, 16000, MachineDesign(load_hold_s=1e6))
        for role in roles:
            for number in range(4):
                samples = machine.render(5.0)
                if (unit, role) == ("pump", "test"):
                    samples = samples + np.float32(0.05) * np.random.default_rng(number).standard_normal(len(samples)).astype(np.float32)
                name = f"{unit}_{role}_{number}.wav"
                soundfile.write(folder / name, samples, 16000)
                rows.append(f"{name},factory,{unit},{role},normal")
    (folder / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "manifest.csv"


def test_promise_on_real_recordings_counts_normal_files_that_alarm(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("--manifest", str(manifest), "--false-alarms-per-week", "1", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    (fan,), (pump,) = document["units"]["fan"], document["units"]["pump"]
    assert (fan["alarms"], fan["of"], fan["fit_seconds"], fan["seconds"]) == (0, 4, 20.0, 20.0)
    assert fan["expected"] == pytest.approx(20 / (7 * 86400), rel=1e-3)
    assert fan["high"] > 0.4  # four files prove little
    assert pump["alarms"] == 4
    assert document["skipped"] == {"motor": "no fit rows"}


def test_promise_on_real_recordings_in_text_is_a_table(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("--manifest", str(manifest), "--units", "fan", "motor") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["unit", "learned", "supports"]
    assert len(lines) == 1 + 3 + 1
    assert lines[-1] == "skipped motor: no fit rows"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--hours", "0"], "must be above 0, not 0"),
        (["--false-alarms-per-week", "few"], "must be a number, not 'few'"),
        (["--minutes", "0"], "must be 1 or more, not 0"),
        (["--faults", "-1"], "--faults: must be 0 or more, not -1"),
    ],
)
def test_promise_with_a_mistake_is_one_line_and_exit_code_two(capsys: pytest.CaptureFixture[str], options: list[str], problem: str) -> None:
    assert benchmark(*options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert problem in captured.err
