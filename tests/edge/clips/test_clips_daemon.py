"""Clips of a daemon at work, and snapshots that are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from tests.broker import Broker
from tests.edge.remote.remote_node import RATE_HZ, node, write


@pytest.fixture
def knocks(tmp_path: Path) -> Path:
    """Two seconds of quiet, and one that is loud."""
    return write(tmp_path / "knocks.wav", [0.1, 0.1, 0.1, 0.1, 0.8, 0.8])


def test_daemon_event_ends_with_the_name_of_a_file_that_holds_its_sound(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    with node(tmp_path, broker, knocks, clips=str(folder), commands=False) as one:
        one.wait_for(lambda: len(one.events()) >= 4)
        one.wait_for(lambda: one.last("health")["clips"]["written"] >= 2)
        one.stop()
    events = one.events()
    assert [event["clip"] for event in events if event["type"] == "opened"] == [None] * sum(event["type"] == "opened" for event in events)
    closed = [event for event in events if event["type"] == "closed"]
    for event in closed[:2]:
        sound, rate_hz = soundfile.read(folder / event["clip"])
        assert event["id"] in event["clip"]
        assert (rate_hz, len(sound)) == (RATE_HZ, 2.5 * RATE_HZ)  # half a second before, the event and the window that ended it, half after
        loud = abs(sound) > 0.2
        assert not loud[: RATE_HZ // 2].any()
        assert loud[RATE_HZ // 2 : RATE_HZ * 3 // 2].any()
        told = json.loads((folder / event["clip"]).with_suffix(".json").read_text())
        assert told == {**event, **{key: told[key] for key in ("clip_t_start", "clip_seconds", "rate_hz")}}
    assert {path.name for path in folder.glob("*.flac")} == {event["clip"] for event in closed}
    health = one.last("health")["clips"]
    assert (health["failed"], health["problem"]) == (0, None)
    assert health["stored_bytes"] > 0


def test_daemon_without_clips_keeps_no_sound_and_says_null(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    with node(tmp_path, broker, knocks, commands=False) as one:
        one.wait_for(lambda: len(one.events()) >= 2)
        one.stop()
    assert {event["clip"] for event in one.events()} == {None}
    assert one.last("health")["clips"] is None
    assert list(tmp_path.glob("**/*.flac")) == []


def test_daemon_snapshot_is_written_and_then_answered(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    with node(tmp_path, broker, knocks, clips=str(tmp_path / "clips")) as one:
        heard = len(one.subscriber.of("/score"))
        one.wait_for(lambda: len(one.subscriber.of("/score")) >= heard + 4)
        answer = one.ask("snapshot", source="pump1", seconds=2)
        assert (answer["status"], answer["seconds"], answer["rate_hz"]) == ("ok", 2.0, RATE_HZ)
        assert answer["path"] == str(tmp_path / "clips" / answer["clip"])
        assert soundfile.info(answer["path"]).frames == 2 * RATE_HZ
        one.stop()


@pytest.mark.slow
def test_daemon_disk_that_fails_costs_clips_and_nothing_else(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file where a folder should be")
    with node(tmp_path, broker, knocks, clips=str(tmp_path / "clips")) as one:
        one.wait_for(lambda: one.last("health")["clips"]["failed"] >= 2)
        problem = one.last("health")["clips"]["problem"]
        assert "cannot be written (File exists)" in problem
        assert "cannot be written (File exists)" in one.ask("snapshot", source="pump1", seconds=2)["error"]
        scores = len(one.subscriber.of("/score"))
        one.wait_for(lambda: len(one.subscriber.of("/score")) > scores + 4)
        log = one.stop()
    assert log.count("scores and events go on") == 1


@pytest.mark.slow
def test_daemon_snoozed_source_has_no_clips(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    with node(tmp_path, broker, knocks, clips=str(folder)) as one:
        one.ask("snooze", source="pump1", minutes=5)
        told = {event["clip"] for event in one.events()}
        scores = len(one.subscriber.of("/score"))
        one.wait_for(lambda: len(one.subscriber.of("/score")) > scores + 12)
        one.stop()
    assert {path.name for path in folder.glob("*.flac")} == {event["clip"] for event in one.events()} - {None}
    assert len(one.events()) <= 2 + len(told)
