from __future__ import annotations

import json
import math

import pytest

from benchmarks.soak import Soak, Weight
from edge.console.cli import run_command
from tests.broker import Broker


def soaked(weights: list[Weight]) -> Soak:
    return Soak(24.0, 1200.0, tuple(weights), opened=10, closed=10, missing=0)


def ten_minutes(number: int, mb_per_day: float) -> Weight:
    hours = number / 6.0
    return Weight(hours, 100.0 + mb_per_day * hours / 24.0 + 0.05 * math.sin(2.7 * number), files=9, threads=3)


@pytest.mark.parametrize("mb_per_day", [0.0, 0.8, 12.0, -3.0])
def test_slope_is_that_of_the_weights_and_lies_in_its_interval(mb_per_day: float) -> None:
    slope, interval = soaked([ten_minutes(number, mb_per_day) for number in range(1, 145)]).slope_mb_per_day(2.0)
    assert slope == pytest.approx(mb_per_day, abs=0.1)
    assert interval.low <= mb_per_day <= interval.high
    assert interval.high - interval.low < 0.3


def test_slope_leaves_the_first_hours_out() -> None:
    weights = [ten_minutes(number, 0.0 if number > 12 else 500.0) for number in range(1, 145)]
    assert abs(soaked(weights).slope_mb_per_day(2.0)[0]) < 0.1
    assert abs(soaked(weights).slope_mb_per_day(0.5)[0]) > 1.0


def test_command_refuses_what_leaves_nothing_to_measure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["soak", "--hours", "2", "--after", "1.5"]) == 2
    assert "--hours: must be an hour more than --after, or there is nothing to measure; try 2.5" in capsys.readouterr().err
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["soak", "--broker", "host:port"]) == 2
    assert "must be HOST or HOST:PORT" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_daemon_is_weighed_while_it_hears_an_hour(
    broker: Broker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.soak.CALIBRATION_MINUTES", 4)
    options = ["--hours", "1.25", "--after", "0.2", "--backbone", "logmel", "--broker", f"{broker.host}:{broker.port}", "--format", "json"]
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["soak", *options]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["hours"] >= 1.25
    assert len(document["weights"]) == 7
    assert all(40.0 < weight["rss_mb"] < 400.0 for weight in document["weights"])
    assert len(document["threads"]) == 1
    assert max(document["files"]) - min(document["files"]) <= 2, (
        "a leak opens one per event or weighing; a state file just being written is not one"
    )
    assert document["events"]["opened"] == document["events"]["closed"] > 20
    assert document["events"]["missing_seq"] == 0
