from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.dashboard.event_store import EventFilter
from edge.dashboard.event_table import csv_lines, parse_filter
from edge.dashboard.history import TIDY_EVENTS, History
from edge.dashboard.messages import Event, Region
from edge.errors import ConfigError
from edge.judgement.ulid import new_ulid
from edge.mqtt.timestamp import timestamp

NOW_S = 1.8e9 // 3600 * 3600.0
DAY_S = 86_400.0


class Wall:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


def make(folder: Path, wall: Wall | None = None, capacity_mb: float = 50.0, *, is_synced: bool = True) -> History:
    history = History(folder / "history.sqlite", 30.0, capacity_mb, wall or Wall(), lambda: is_synced)
    history.open()
    return history


def event(start_s: float = NOW_S, kind: Any = "closed", **more: Any) -> Event:
    told: dict[str, Any] = {
        "id": new_ulid(),
        "type": kind,
        "t_start": timestamp(start_s),
        "t_end": timestamp(start_s + 5.0),
        "epoch": "e",
        "seq": 1,
        "peak_score": 2.0,
        "regions": [Region(t0_s=0.0, t1_s=1.0, f_lo_hz=2000.0, f_hi_hz=3000.0, score=2.0)],
    }
    return Event(**{**told, **more})


def test_scores_are_kept_as_lowest_and_highest_of_each_step_over_batches(tmp_path: Path) -> None:
    history = make(tmp_path)
    for at_s, score in ((0.0, 0.5), (10.0, 0.2), (119.0, 1.5), (120.0, 0.7)):
        history.buckets.add("hall", "pump1", NOW_S + at_s, score, above=score > 1.0)
    history.flush()
    history.buckets.add("hall", "pump1", NOW_S + 30.0, 1.8, above=True)  # late, and not written yet
    expected = [[NOW_S, 0.2, 1.8, 2], [NOW_S + 120.0, 0.7, 0.7, 0]]
    assert history.scores("hall", "pump1", 120, NOW_S) == expected
    history.flush()
    assert history.scores("hall", "pump1", 120, NOW_S) == expected
    assert history.scores("hall", "pump1", 3600, NOW_S) == [[NOW_S, 0.2, 1.8, 2]]
    assert history.scores("hall", "pump2", 120, NOW_S) == []
    assert history.highest(900, NOW_S) == {("hall", "pump1"): [(NOW_S, 1.8)]}
    history.close()


def test_what_is_old_goes_the_finer_scores_first(tmp_path: Path) -> None:
    wall = Wall()
    history = make(tmp_path, wall)
    history.buckets.add("hall", "pump1", NOW_S, 0.5, above=False)
    history.events.put("hall", "pump1", event())
    history.flush()
    left = []
    for days in (1, 3, 9, 31):
        wall.now_s = NOW_S + days * DAY_S
        history.tidy()
        scores = [len(history.scores("hall", "pump1", step, 0.0)) for step in (120, 900, 3600)]
        left.append((*scores, len(history.events.find(EventFilter(), 10))))
    assert left == [(1, 1, 1, 1), (0, 1, 1, 1), (0, 0, 1, 1), (0, 0, 0, 0)]
    history.close()


def test_size_is_bounded_pictures_go_before_events_and_old_ones_before_new(tmp_path: Path) -> None:
    history = make(tmp_path, capacity_mb=2.0)
    ids = []
    for index in range(100):
        one = event(NOW_S - 1000.0 + index)
        ids.append(one.id)
        history.events.put("hall", "pump1", one)
        history.events.put_picture("hall", "pump1", one.id, bytes(50_000))
    assert history.database.used_bytes() > 2e6
    history.tidy()
    assert history.database.used_bytes() <= 2e6
    assert (tmp_path / "history.sqlite").stat().st_size <= 2.2e6
    kept = [history.events.picture("hall", "pump1", one) is not None for one in ids]
    assert kept == sorted(kept)
    assert any(kept)
    assert len(history.events.find(EventFilter(), 200)) == 100
    history.close()


def test_event_that_comes_again_or_late_changes_nothing(tmp_path: Path) -> None:
    history = make(tmp_path)
    opened = event(kind="opened")
    closed = event(kind="closed", id=opened.id, seq=3, peak_score=4.0)
    updated = event(kind="updated", id=opened.id, seq=2)
    assert history.events.put("hall", "pump1", opened)
    assert not history.events.put("hall", "pump1", opened)
    assert history.events.put("hall", "pump1", closed)
    assert not history.events.put("hall", "pump1", updated)
    (found,) = history.events.find(EventFilter(), 10)
    assert (found["type"], found["peak"]) == ("closed", 4.0)
    history.close()


def test_mark_keeps_a_note_until_there_is_another(tmp_path: Path) -> None:
    history = make(tmp_path)
    one = event()
    history.events.put("hall", "pump1", one)
    assert history.events.unmarked(0.0) == {("hall", "pump1"): (1, NOW_S)}
    history.events.mark("hall", "pump1", one.id, "real", "bearing", NOW_S)
    history.events.mark("hall", "pump1", one.id, "false_alarm", None, NOW_S + 1.0)
    found = history.events.get("hall", "pump1", one.id)
    assert found is not None
    assert (found["verdict"], found["note"]) == ("false_alarm", "bearing")
    assert history.events.unmarked(0.0) == {}
    history.close()


def test_filter_finds_by_machine_verdict_time_score_and_frequency(tmp_path: Path) -> None:
    history = make(tmp_path)
    first = event(NOW_S - 100.0)
    second = event(NOW_S, peak_score=5.0, regions=[Region(t0_s=0.0, t1_s=1.0, f_lo_hz=100.0, f_hi_hz=300.0, score=5.0)])
    history.events.put("hall", "pump1", first)
    history.events.put("hall", "pump2", second)
    history.events.mark("hall", "pump2", second.id, "real", "", NOW_S)
    for query, expected in (
        ({}, [second.id, first.id]),
        ({"node": "hall", "source": "pump1"}, [first.id]),
        ({"verdict": "none"}, [first.id]),
        ({"verdict": "real"}, [second.id]),
        ({"since": str(NOW_S - 50.0)}, [second.id]),
        ({"until": str(NOW_S - 50.0)}, [first.id]),
        ({"peak": "3"}, [second.id]),
        ({"f_lo": "1000"}, [first.id]),
        ({"f_hi": "1000"}, [second.id]),
        ({"f_lo": "400", "f_hi": "1900"}, []),
    ):
        assert [found["id"] for found in history.events.find(parse_filter(query), 10)] == expected, query
    assert [found["id"] for found in history.events.find(EventFilter(), 10, (NOW_S, second.id))] == [first.id]
    near = history.events.neighbours("hall", "pump1", NOW_S - 100.0, first.id)
    assert near == {"previous": None, "next": None}
    for query in ({"node": "a b"}, {"verdict": "maybe"}, {"since": "nan"}, {"peak": "much"}, {"peak": "inf"}):
        with pytest.raises(ValueError, match=r"."):
            parse_filter(query)
    history.close()


def test_csv_has_a_row_for_each_event_and_no_formula(tmp_path: Path) -> None:
    history = make(tmp_path)
    one = event(NOW_S)
    history.events.put("hall", "pump1", one)
    history.events.mark("hall", "pump1", one.id, "real", '=cmd|"/C calc"!A0', NOW_S)
    for index in range(1200):  # more than one batch
        history.events.put("hall", "pump1", event(NOW_S - 1.0 - index))
    lines = "".join(csv_lines(history.events, EventFilter())).split("\r\n")
    assert len(lines) == 1 + 1201 + 1
    assert lines[0].startswith("node,source,id,type,t_start,t_end,duration_s,peak_score")
    assert lines[1].startswith(f"hall,pump1,{one.id},closed,{timestamp(NOW_S)},{timestamp(NOW_S + 5.0)},5.0,2.0,,2000.0,3000.0,1,")
    assert "\"'=cmd|" in lines[1]
    history.close()


def test_gap_while_no_dashboard_ran_is_known(tmp_path: Path) -> None:
    wall = Wall()
    history = make(tmp_path, wall)
    history.close()
    wall.now_s += 100.0
    history = make(tmp_path, wall)
    history.add_gap(NOW_S + 100.0, NOW_S + 101.0, "too short to matter")
    assert history.gaps(0.0) == [{"t_start": NOW_S, "t_end": NOW_S + 100.0, "reason": "the dashboard did not run"}]
    history.close()


def test_second_dashboard_on_the_same_history_is_refused(tmp_path: Path) -> None:
    history = make(tmp_path)
    with pytest.raises(ConfigError, match="another dashboard uses this history"):
        make(tmp_path)
    history.close()
    make(tmp_path).close()


def test_damaged_history_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"no database " * 1000)
    history = make(tmp_path)
    history.events.put("hall", "pump1", event())
    assert len(history.events.find(EventFilter(), 10)) == 1
    history.close()
    assert (tmp_path / "history.sqlite.damaged").read_bytes().startswith(b"no database")
    assert "a new history begins" in caplog.text


def test_history_of_another_version_is_put_aside(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "history.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    make(tmp_path).close()
    assert (tmp_path / "history.sqlite.damaged").exists()


def test_history_that_is_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").mkdir()
    with pytest.raises(ConfigError, match=r"history.sqlite: cannot be written \(Is a directory\); name another file"):
        make(tmp_path)


def test_history_is_for_its_user_alone(tmp_path: Path) -> None:
    make(tmp_path).close()
    assert (tmp_path / "history.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("jump_s", [-400 * DAY_S, 400 * DAY_S])
def test_clock_that_is_wrong_deletes_nothing(tmp_path: Path, jump_s: float) -> None:
    wall = Wall()
    history = make(tmp_path, wall, is_synced=False)
    history.buckets.add("hall", "pump1", NOW_S, 0.5, above=False)
    history.events.put("hall", "pump1", event())
    history.flush()
    wall.now_s += jump_s
    history.tidy()
    assert len(history.scores("hall", "pump1", 120, 0.0)) == 1
    assert len(history.events.find(EventFilter(), 10)) == 1


def test_size_is_bounded_when_there_are_only_scores(tmp_path: Path) -> None:
    history = make(tmp_path, capacity_mb=0.2, is_synced=False)
    for day in range(20):
        for bucket in range(720):
            history.buckets.add("hall", "pump1", NOW_S - day * DAY_S + bucket * 120.0, 0.5, above=False)
    history.flush()
    assert history.database.used_bytes() > 200_000
    history.tidy()
    assert history.database.used_bytes() <= 200_000
    assert history.scores("hall", "pump1", 120, 0.0)[-1][0] == NOW_S + 719 * 120.0


def test_history_that_is_damaged_while_it_is_used_is_put_aside_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = make(tmp_path)
    for _ in range(200):
        history.events.put("hall", "pump1", event())
    history.close()
    path = tmp_path / "history.sqlite"
    content = path.read_bytes()
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    path.write_bytes(content[: (page - 1) * 4096] + b"\xaa" * 4096 + content[page * 4096 :])
    history = make(tmp_path)
    with pytest.raises(sqlite3.DatabaseError):
        history.events.find(EventFilter(), 10)
    assert history.events.find(EventFilter(), 10) == []
    assert history.events.put("hall", "pump1", event())
    assert len([record for record in caplog.records if "a new history begins" in record.getMessage()]) == 1
    assert path.with_name("history.sqlite.damaged").stat().st_size == len(content)


@pytest.mark.parametrize("key", ["alive_at", "key"])
def test_setting_that_somebody_else_wrote_is_no_end(tmp_path: Path, key: str) -> None:
    history = make(tmp_path)
    history.flush()
    history.database.put(key, "soon")
    history.database.close()
    history = make(tmp_path)
    assert history.gaps(0.0) == []
    assert bytes.fromhex(history.database.secret("key"))


def test_flood_of_events_is_bounded_before_the_hour_is_over(tmp_path: Path) -> None:
    history = make(tmp_path, capacity_mb=0.5)
    history.poll()
    for _ in range(TIDY_EVENTS):
        history.events.put("hall", "pump1", event(detector="x" * 2000))
    assert history.database.used_bytes() > 500_000
    history.poll()
    assert history.database.used_bytes() <= 500_000
    history.close()
