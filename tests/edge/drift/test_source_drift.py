from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.drift.history import History
from edge.drift.source_drift import SourceDrift
from edge.judgement.window import Window
from edge.node.drift_report import drift_payload
from edge.pipeline import Listener
from tests.bundles import RATE_HZ, CalibratedMachine, Float32

HOUR_S = 60.0


class Clock:
    """A wall clock that goes with the sound, from a full hour on."""

    def __init__(self) -> None:
        self.now_s = 600.0 * HOUR_S
        self.set_s = 0.0

    def wall(self) -> float:
        return self.now_s + self.set_s

    def steady(self) -> float:
        return self.now_s


def listen(machine: CalibratedMachine, drift: SourceDrift, clock: Clock, seconds: int) -> list[Window]:
    listener = Listener(machine.model, RATE_HZ)
    listener.overhear(drift)
    sound: Float32 = np.resize(machine.samples, seconds * RATE_HZ)
    windows = []
    for second in np.array_split(sound, seconds):
        clock.now_s += 1.0
        windows += [result for result in listener.push(second) if isinstance(result, Window)]
    return windows


@pytest.fixture
def clock() -> Clock:
    return Clock()


def drift_of(path: Path, clock: Clock) -> SourceDrift:
    return SourceDrift("pump1", path, wall=clock.wall, steady=clock.steady, hour_s=HOUR_S)


def test_drift_keeps_an_hour_reports_it_and_changes_no_score(
    machine: CalibratedMachine, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.drift.hour.FEWEST_WINDOWS", 3)
    path = tmp_path / "drift" / "pump1.drift"
    drift = drift_of(path, clock)
    heard = listen(machine, drift, clock, 75)
    assert drift.report is not None
    assert drift.report.state == "waiting"
    payload = drift_payload("pump1", drift.report)
    assert payload.level.db_per_week is None
    kept = History.read(path)
    assert kept is not None
    assert [hour.at for hour in kept.hours] == [600]
    assert kept.hours[0].bundle == machine.model.bundle.sha256
    listener = Listener(machine.model, RATE_HZ)
    plain = [result for result in listener.push(np.resize(machine.samples, 20 * RATE_HZ)) if isinstance(result, Window)]
    assert [window.score for window in heard[: len(plain)]] == [window.score for window in plain]


def test_drift_leaves_out_an_hour_in_which_the_clock_was_set(machine: CalibratedMachine, clock: Clock, tmp_path: Path) -> None:
    drift = drift_of(tmp_path / "pump1.drift", clock)
    listen(machine, drift, clock, 30)
    clock.set_s = -20.0
    listen(machine, drift, clock, 15)
    assert drift._hour is not None
    assert len(drift._hour.spectra) == 1  # of after it was set


def test_drift_tells_after_a_restart_at_once_what_was_told_last(
    machine: CalibratedMachine, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.drift.hour.FEWEST_WINDOWS", 3)
    path = tmp_path / "pump1.drift"
    first = drift_of(path, clock)
    listen(machine, first, clock, 62)
    assert first.report is not None
    again = drift_of(path, clock)
    listen(machine, again, clock, 12)
    assert again.report == first.report


def test_drift_that_cannot_be_kept_says_why(
    machine: CalibratedMachine, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.drift.hour.FEWEST_WINDOWS", 3)
    (tmp_path / "drift").write_text("a file where the folder should be")
    drift = drift_of(tmp_path / "drift" / "pump1.drift", clock)
    listen(machine, drift, clock, 62)
    assert drift.problem is not None
    assert "cannot be read or written" in drift.problem
