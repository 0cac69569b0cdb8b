from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge.remote.snoozes import Snoozes
from tests.edge.remote.clocks import Clocks


def make(folder: Path, clocks: Clocks) -> Snoozes:
    return Snoozes(folder / "state" / "snoozes.json", clocks.now, clocks.wall)


def test_snoozes_ends_after_its_time_or_on_request(tmp_path: Path) -> None:
    clocks = Clocks()
    snoozes = make(tmp_path, clocks)
    assert not snoozes.is_snoozed("pump1")
    assert snoozes.until_s("pump1") is None
    snoozes.set("pump1", 10.0)
    clocks.pass_by(599.0)
    assert snoozes.is_snoozed("pump1")
    assert not snoozes.is_snoozed("fan2")
    assert snoozes.until_s("pump1") == clocks.wall_s + 1.0
    clocks.pass_by(1.0)
    assert not snoozes.is_snoozed("pump1")
    snoozes.set("pump1", 10.0)
    snoozes.set("pump1", 0.0)
    assert not snoozes.is_snoozed("pump1")


def test_snoozes_survive_a_restart_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    clocks = Clocks()
    make(tmp_path, clocks).set("pump1", 60.0, "oil change")
    clocks.wall_s += 30 * 60
    clocks.now_s = 5.0  # booted meanwhile
    snoozes = make(tmp_path, clocks)
    assert snoozes.until_s("pump1") == clocks.wall_s + 30 * 60
    clocks.pass_by(30 * 60)
    assert not snoozes.is_snoozed("pump1")
    assert not make(tmp_path, clocks).is_snoozed("pump1")


def test_snoozes_over_while_the_daemon_was_away_are_over(tmp_path: Path) -> None:
    clocks = Clocks()
    make(tmp_path, clocks).set("pump1", 60.0)
    clocks.wall_s += 3601
    assert not make(tmp_path, clocks).is_snoozed("pump1")


def test_snoozes_wall_clock_set_moves_none_while_the_daemon_runs(tmp_path: Path) -> None:
    clocks = Clocks()
    snoozes = make(tmp_path, clocks)
    snoozes.set("pump1", 10.0)
    clocks.wall_s += 86_400.0
    assert snoozes.is_snoozed("pump1")
    assert snoozes.until_s("pump1") == clocks.wall_s + 600.0  # told by the clock of now
    clocks.wall_s -= 0.01  # NTP at work does not change what is told
    assert snoozes.until_s("pump1") == clocks.wall_s + 600.01
    clocks.now_s += 600.0
    assert not snoozes.is_snoozed("pump1")


def test_snoozes_wall_clock_set_back_over_a_restart_makes_none_longer(tmp_path: Path) -> None:
    clocks = Clocks()
    make(tmp_path, clocks).set("pump1", 10.0)
    clocks.wall_s -= 10 * 86_400.0
    assert make(tmp_path, clocks).until_s("pump1") == clocks.wall_s + 600.0


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"pump1": {"until_s": "x"}}', b"\xff" * 100, b"[" * 100_000])
def test_snoozes_damaged_file_is_reported_and_overwritten(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "snoozes.json"
    path.write_bytes(content)
    clocks = Clocks()
    with caplog.at_level(logging.ERROR):
        snoozes = Snoozes(path, clocks.now, clocks.wall)
    assert len(caplog.records) == 1
    assert str(path) in caplog.text
    snoozes.set("pump1", 1.0)
    assert Snoozes(path, clocks.now, clocks.wall).is_snoozed("pump1")


def test_snoozes_disk_that_fails_is_reported_and_the_snooze_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    snoozes = make(tmp_path, Clocks())
    snoozes.set("pump1", 1.0)
    assert snoozes.is_snoozed("pump1")
    assert "cannot be written" in caplog.text
