from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.remote.event_memory import REMEMBERED, EventMemory, KnownEvent, Mark, Verdict
from edge.remote.requests import CommandError

T = "2026-11-20T10:00:00.000Z"


def known(name: str, source: str = "pump1", told: bool = True, last_bin: int = 2, bundle: str = "b") -> KnownEvent:
    return KnownEvent(
        event=name, source=source, bundle=bundle, t_start=T, t_end=T, peak_score=1.5, first_bin=1, last_bin=last_bin, told=told
    )


def mark(memory: EventMemory, name: str, verdict: Verdict) -> None:
    memory.mark(Mark(t=T, event=name, verdict=verdict, note="", source="pump1", t_start=T, t_end=T, peak_score=1.5))


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
    assert json.loads(lines[0]) == {
        "t": T, "event": "A", "verdict": "false_alarm", "note": "", "source": "pump1", "t_start": T, "t_end": T, "peak_score": 1.5,
    }  # fmt: skip


def test_event_memory_unknown_and_untold_events_are_refused(tmp_path: Path) -> None:
    memory = EventMemory(tmp_path)
    memory.add(known("A", told=False))
    assert not memory.was_told("A")
    for name in ("A", "B"):
        with pytest.raises(CommandError, match="no such event is known here; the node remembers the last 300 of each source"):
            memory.find(name)


def test_event_memory_is_bounded_for_each_source_and_says_so(tmp_path: Path) -> None:
    memory = EventMemory(tmp_path)
    memory.add(known("quiet", source="fan2"))
    for number in range(REMEMBERED + 1):
        memory.add(known(f"E{number}"))
    assert (memory.is_complete("pump1"), memory.is_complete("fan2")) == (False, True)
    assert len(memory.of("pump1", "b")) == REMEMBERED
    with pytest.raises(CommandError):
        memory.find("E0")
    assert memory.find("quiet").source == "fan2"


def test_event_memory_disk_that_fails_is_told_once_and_a_mark_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "file"
    folder.write_text("")
    memory = EventMemory(folder)
    memory.add(known("A"))
    memory.add(known("B"))
    assert len(caplog.records) == 3  # the two files cannot be read; one line for all that is not written
    with pytest.raises(CommandError, match=r"marks\.jsonl cannot be written .*; make room and send it again"):
        mark(memory, "A", "real")
    assert memory.find("B").event == "B"
