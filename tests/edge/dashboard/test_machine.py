from __future__ import annotations

from typing import Any

import pytest

from edge.dashboard.fleet import MOST_MACHINES, Fleet, FullError
from edge.dashboard.machine import SILENT_S, Machine, Node, judge, snapshot
from edge.dashboard.messages import Event, Health, Info, Learning, Region, Score, SourceHealth, SourceInfo
from edge.judgement.ulid import new_ulid
from edge.mqtt.timestamp import timestamp

NOW_S = 1.8e9


def machine(**more: Any) -> Machine:
    found = Machine("hall", "pump1", availability="online", state="OFF", since_s=NOW_S - 100.0, **more)
    found.hear(score(NOW_S), NOW_S)
    return found


def score(at_s: float, value: float | None = 0.4, heads: dict[str, float | None] | None = None, window_s: float = 0.0) -> Score:
    return Score(t_start=timestamp(at_s - window_s), t_end=timestamp(at_s), score=value, heads=heads or {})


def node(reason: str | None = None, warnings: list[str] | None = None, *, is_online: bool = True) -> Node:
    health = Health(t=timestamp(NOW_S), sources={"pump1": SourceHealth(reason=reason, warnings=warnings or [])})
    return Node("hall", is_online=is_online, since_s=NOW_S - 50.0, health=health)


def opened(**more: Any) -> Event:
    told: dict[str, Any] = {
        "id": new_ulid(),
        "type": "opened",
        "t_start": timestamp(NOW_S - 8.0),
        "t_end": timestamp(NOW_S),
        "regions": [
            Region(t0_s=0.0, t1_s=1.0, f_lo_hz=100.0, f_hi_hz=300.0, score=1.2),
            Region(t0_s=0.0, t1_s=1.0, f_lo_hz=2100.0, f_hi_hz=3400.0, score=3.0),
        ],
    }
    return Event(**{**told, **more})


def test_alarm_says_where_and_since_when() -> None:
    found = machine(event=opened())
    found.state = "ON"
    verdict = judge(found, node(), (1, NOW_S - 8.0), NOW_S)
    assert (verdict.need, verdict.reason, verdict.since_s) == ("alarm", "2.1 kHz to 3.4 kHz", NOW_S - 8.0)


def test_offline_says_why_and_the_node_goes_before_its_microphone() -> None:
    found = machine()
    found.availability = "offline"
    assert judge(found, node("the microphone is silent"), None, NOW_S).reason == "the microphone is silent"
    assert judge(found, None, None, NOW_S).reason == "no plausible sound arrives"
    gone = judge(found, node("the microphone is silent", is_online=False), None, NOW_S)
    assert (gone.need, gone.reason, gone.since_s) == ("offline", "the node is offline", NOW_S - 50.0)


def test_source_that_says_no_score_any_more_is_offline() -> None:
    assert judge(machine(), node(), None, NOW_S + SILENT_S - 1.0).need == "fine"
    assert judge(machine(), node(), None, NOW_S + SILENT_S + 1.0).reason == "no score arrives"


def test_events_that_nobody_judged_and_warnings_are_to_check() -> None:
    assert judge(machine(), node(), (3, NOW_S), NOW_S).reason == "3 events to judge"
    assert judge(machine(), node(), (1, NOW_S), NOW_S).reason == "1 event to judge"
    assert judge(machine(), node(warnings=["clipped"]), None, NOW_S).reason == "clipped"


def test_learning_until_it_is_settled() -> None:
    learning = machine(learning=Learning(state="watching", learned_s=5400.0, days=7.0, reason="an event is open"))
    assert judge(learning, node(), None, NOW_S).need == "learning"
    assert judge(learning, node(), None, NOW_S).reason == "1.5 h learned of 7 days, not now: an event is open"
    listening = machine(learning=Learning(state="listening", first_in_s=1490.0))
    assert judge(listening, node(), None, NOW_S).reason == "listening, no alarms for about 25 min of sound"
    assert judge(machine(learning=Learning(state="settled")), node(), None, NOW_S).need == "fine"
    failed = judge(machine(learning=Learning(state="watching", problem="the disk is full")), node(), None, NOW_S)
    assert (failed.need, failed.reason) == ("check", "the disk is full")


def test_event_whose_end_was_lost_is_not_open() -> None:
    found = machine(event=opened())
    assert snapshot(found, node(), None, NOW_S)["event"] is None
    found.state = "ON"
    assert found.event is not None
    assert snapshot(found, node(), None, NOW_S)["event"] == found.event.id


def test_heads_of_an_event_are_those_of_its_highest_window() -> None:
    found = machine()
    for at_s, value in ((-20.0, 9.0), (-6.0, 1.5), (-4.0, 3.0), (-2.0, 2.0)):
        found.hear(score(NOW_S + at_s, value, {"level": value}), NOW_S)
    assert found.heads_of(opened()) == {"level": 3.0}
    assert found.heads_of(opened(t_start=timestamp(NOW_S - 900.0), t_end=timestamp(NOW_S - 800.0))) is None


def test_heads_of_a_knock_are_those_of_the_windows_that_hold_it() -> None:
    found = machine()
    for at_s, value in ((-0.6, 0.4), (-0.1, 0.5), (0.4, 34.9), (0.9, 40.0), (9.9, 39.0), (10.4, 0.4), (30.0, 50.0)):
        found.hear(score(NOW_S + at_s, value, {"level": value}, window_s=10.0), NOW_S)
    knock = opened(type="closed", t_start=timestamp(NOW_S), t_end=timestamp(NOW_S + 0.08))
    assert found.heads_of(knock) == {"level": 40.0}


def test_heads_of_a_long_event_stay_those_of_its_peak() -> None:
    found = machine()
    event = opened(t_start=timestamp(NOW_S))
    peaks = []
    for index in range(3000):  # 25 minutes
        found.hear(score(NOW_S + index / 2.0, 9.0 if index == 4 else 2.0, {"level": float(index), "power": None}), NOW_S)
        if index % 20 == 19:
            told = opened(id=event.id, t_start=timestamp(NOW_S), t_end=timestamp(NOW_S + index / 2.0))
            peaks.append(found.heads_of(told))
    assert peaks == [{"level": 4.0, "power": None}] * len(peaks)


def test_recent_scores_do_not_grow_for_ever() -> None:
    found = machine()
    for index in range(10_000):
        found.hear(score(NOW_S + index / 2.0), NOW_S)
    assert len(found.recent) <= 601


def test_fleet_is_in_order_of_need_and_leaves_out_what_a_node_has_no_longer() -> None:
    fleet = Fleet(lambda: NOW_S)
    for name, state in (("fan", "OFF"), ("pump1", "ON"), ("mill", "OFF")):
        one = fleet.machine("hall", name)
        one.availability, one.state = "online", state  # type: ignore[assignment]
    fleet.machine("hall", "mill").availability = "offline"
    assert [found["source"] for found in fleet.snapshots()] == ["pump1", "mill", "fan"]
    fleet.node("hall").info = Info(sources={"pump1": SourceInfo()})
    assert [found["source"] for found in fleet.snapshots()] == ["pump1"]


def test_fleet_has_an_end() -> None:
    fleet = Fleet()
    for index in range(MOST_MACHINES):
        fleet.machine("hall", f"s{index}")
    with pytest.raises(FullError):
        fleet.machine("hall", "one-more")
    fleet.machine("hall", "s0")
