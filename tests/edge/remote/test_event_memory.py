from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edge.remote.event_memory import NO_BIN, REMEMBERED, EventMemory, KnownEvent, Mark, Verdict
from edge.remote.requests import CommandError

T = "2026-11-20T10:00:00.000Z"


def known(
    name: str, source: str = "pump1", told: bool = True, last_bin: int | None = 2, bundle: str = "b", first_bin: int = 1
) -> KnownEvent:
    return KnownEvent(
        event=name, source=source, bundle=bundle, t_start=T, t_end=T, peak_score=1.5, first_bin=first_bin, last_bin=last_bin, told=told
    )


def mark(memory: EventMemory, name: str, verdict: Verdict) -> str | None:
    problems: list[str | None] = []
    memory.mark(Mark(t=T, event=name, verdict=verdict, note="", source="pump1", t_start=T, t_end=T, peak_score=1.5), problems.append)
    return problems[0]


def test_event_memory_over_a_restart_knows_events_and_verdicts(tmp_path: Path) -> None:
    memory = EventMemory(tmp_path)
    memory.add(known("A", last_bin=2))
    memory.add(known("B", source="fan2"))
    memory.add(known("A", last_bin=9))  # it is over
    mark(memory, "A", "false_alarm")
    mark(memory, "B", "false_alarm")
    mark(memory, "B", "real")
    for one in (memory, EventMemory(tmp_path)):
        assert one.find("A").last_bin == 9
        assert one.is_false_alarm("A")
        assert not one.is_false_alarm("B")
        assert [event.event for event in one.of("pump1", "b")] == ["A"]
        assert one.of("pump1", "another bundle") == []
    lines = (tmp_path / "marks.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) | {"crc32": ""} == {
        "t": T, "event": "A", "verdict": "false_alarm", "note": "", "source": "pump1", "t_start": T, "t_end": T, "peak_score": 1.5,
        "crc32": "",
    }  # fmt: skip


def test_event_memory_damaged_line_ends_what_is_known_of_the_sound_before_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memory = EventMemory(tmp_path)
    memory.watch("pump1", "b", 1)
    memory.add(known("A"))
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"first_bin":1', b'"first_bin":3'))
    memory = EventMemory(tmp_path)
    assert memory.of("pump1", "b") == []
    assert memory.complete_from("pump1", "b") == NO_BIN
    memory.watch("pump1", "b", 7)
    assert EventMemory(tmp_path).complete_from("pump1", "b") == 7
    assert caplog.text.count("events.jsonl: damaged; 1 of its 2 lines are ignored") == 1


def test_event_memory_unknown_and_unpublished_events_are_refused(tmp_path: Path) -> None:
    memory = EventMemory(tmp_path)
    memory.add(known("A", told=False))
    assert not memory.was_told("A")
    for name in ("A", "B"):
        with pytest.raises(CommandError, match="no such event is known here; the node remembers the last 300 of each source"):
            memory.find(name)


def test_event_memory_is_bounded_for_each_source_and_says_so(tmp_path: Path) -> None:
    memory = EventMemory(tmp_path)
    memory.watch("pump1", "b", 0)
    memory.watch("fan2", "b", 0)
    memory.add(known("quiet", source="fan2"))
    for number in range(REMEMBERED + 1):
        memory.add(known(f"E{number}", first_bin=10 * number, last_bin=10 * number + 3))
    for one in (memory, EventMemory(tmp_path)):
        assert (one.complete_from("pump1", "b"), one.complete_from("fan2", "b")) == (10, 0)
        assert one.complete_from("pump1", "another bundle") == NO_BIN
    assert len(memory.of("pump1", "b")) == REMEMBERED
    with pytest.raises(CommandError):
        memory.find("E0")
    assert memory.find("quiet").source == "fan2"


def test_event_memory_disk_that_fails_is_reported_once_and_a_mark_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "file"
    folder.write_text("")
    memory = EventMemory(folder)
    memory.add(known("A"))
    memory.add(known("B"))
    assert len(caplog.records) == 3  # the two files cannot be read; one line for all that is not written
    problem = mark(memory, "A", "false_alarm")
    assert problem is not None
    assert re.search(r"marks\.jsonl cannot be written .*; make room and send it again", problem)
    assert not memory.is_false_alarm("A")
    assert memory.find("B").event == "B"


def test_event_memory_source_that_seldom_alarms_keeps_its_events_beside_one_that_flaps(tmp_path: Path) -> None:
    memory = EventMemory(tmp_path)
    memory.watch("fan2", "b", 0)
    memory.watch("pump1", "b", 0)
    memory.add(known("seldom", source="fan2", first_bin=100, last_bin=103))
    for number in range(6000):  # more than the file may hold
        memory.add(known(f"E{number}", first_bin=10 * number, last_bin=10 * number + 3))
    assert (tmp_path / "events.jsonl").stat().st_size <= 1_000_000
    again = EventMemory(tmp_path)
    assert again.find("seldom").last_bin == 103
    assert again.complete_from("fan2", "b") == 0
    assert [event.event for event in again.of("pump1", "b")] == [event.event for event in memory.of("pump1", "b")]
    assert again.complete_from("pump1", "b") == memory.complete_from("pump1", "b") == 10 * (6000 - REMEMBERED)


def test_event_memory_file_that_was_lost_proves_nothing_older(tmp_path: Path) -> None:
    memory = EventMemory(tmp_path)
    memory.watch("pump1", "b", 50)
    memory.watch("pump1", "b", 70)  # another stream, or another run
    assert EventMemory(tmp_path).complete_from("pump1", "b") == 50
    (tmp_path / "events.jsonl").unlink()
    again = EventMemory(tmp_path)
    assert again.complete_from("pump1", "b") == NO_BIN
    again.watch("pump1", "b", 90)
    assert EventMemory(tmp_path).complete_from("pump1", "b") == 90


def test_event_memory_event_that_was_left_open_ends_on_request(tmp_path: Path) -> None:
    memory = EventMemory(tmp_path)
    memory.add(known("A", first_bin=5, last_bin=None))
    memory.add(known("B", first_bin=5, last_bin=None, bundle="another bundle"))
    assert EventMemory(tmp_path).find("A").last_bin is None
    memory.end("pump1", "b", 40)
    memory.end("pump1", "b", 90)
    assert EventMemory(tmp_path).find("A").last_bin == 40
    assert EventMemory(tmp_path).find("B").last_bin is None


def test_event_memory_events_of_a_time_without_a_disk_are_written_when_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file where a folder should be")
    memory = EventMemory(folder)
    memory.watch("pump1", "b", 0)
    memory.add(known("A"))
    folder.unlink()
    memory.add(known("B"))
    again = EventMemory(folder)
    assert [event.event for event in again.of("pump1", "b")] == ["A", "B"]
    assert again.complete_from("pump1", "b") == 0
