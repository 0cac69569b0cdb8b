from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge.judgement.event import Event
from edge.remote.snooze_filter import SnoozeFilter


class Switch:
    on = False

    def __call__(self) -> bool:
        return self.on


def event(name: str, kind: Any) -> Event:
    return Event(name, 1, kind, 1.0, 2.0, 1.5, 0.01, (), 0.0)


def snooze_filter() -> tuple[SnoozeFilter, Switch]:
    snoozed, ids = Switch(), iter("XYZ")
    return SnoozeFilter(snoozed, lambda: next(ids)), snoozed


def test_snooze_filter_without_a_snooze_passes_all_on() -> None:
    quiet, _ = snooze_filter()
    for message in (event("A", "opened"), event("A", "updated"), event("A", "closed"), event("B", "opened")):
        assert quiet.pass_on(message) == message


def test_snooze_filter_event_that_is_open_is_closed_and_its_end_not_published_again() -> None:
    quiet, snoozed = snooze_filter()
    opened = event("A", "opened")
    quiet.pass_on(opened)
    snoozed.on = True
    assert quiet.begin() == replace(opened, type="closed")
    assert quiet.begin() is None
    assert quiet.pass_on(event("A", "updated")) is None
    assert quiet.pass_on(event("A", "closed")) is None
    snoozed.on = False
    assert quiet.pass_on(event("B", "opened")) == event("B", "opened")


def test_snooze_filter_event_within_the_snooze_is_never_published() -> None:
    quiet, snoozed = snooze_filter()
    snoozed.on = True
    assert quiet.begin() is None
    assert [quiet.pass_on(event("A", kind)) for kind in ("opened", "updated")] == [None, None]
    snoozed.on = False
    assert quiet.pass_on(event("A", "closed")) is None


def test_snooze_filter_event_that_outlasts_the_snooze_is_opened_then() -> None:
    quiet, snoozed = snooze_filter()
    snoozed.on = True
    quiet.pass_on(event("A", "opened"))
    snoozed.on = False
    assert quiet.pass_on(event("A", "updated")) == event("A", "opened")
    assert quiet.pass_on(event("A", "updated")) == event("A", "updated")
    assert quiet.pass_on(event("A", "closed")) == event("A", "closed")


def test_snooze_filter_event_whose_first_part_was_published_continues_under_another_id() -> None:
    quiet, snoozed = snooze_filter()
    quiet.pass_on(event("A", "opened"))
    snoozed.on = True
    quiet.begin()
    quiet.pass_on(event("A", "updated"))
    snoozed.on = False
    assert quiet.pass_on(event("A", "updated")) == event("X", "opened")
    assert quiet.pass_on(event("A", "closed")) == event("X", "closed")


@given(st.lists(st.sampled_from(["event", "snooze", "wake"]), max_size=40), st.data())
def test_snooze_filter_subscribers_receive_complete_events_only(steps: list[str], data: st.DataObject) -> None:
    snoozed, count, tracker = Switch(), 0, None
    quiet = SnoozeFilter(snoozed)
    heard: list[Event] = []
    for step in steps:
        if step == "event":
            if tracker is None:
                count += 1
                tracker, kind = str(count), "opened"
            else:
                kind = data.draw(st.sampled_from(["updated", "closed"]))
            told = quiet.pass_on(event(tracker, kind))
            tracker = None if kind == "closed" else tracker
        else:
            begins = step == "snooze" and not snoozed.on
            snoozed.on = step == "snooze"
            told = quiet.begin() if begins else None
        if told is not None:
            heard.append(told)
    for before, after in zip([None, *heard], heard, strict=False):
        if before is None or before.type == "closed":
            assert after.type == "opened"
            assert after.id not in {one.id for one in heard[: heard.index(after)]}
        else:
            assert (after.type in ("updated", "closed"), after.id) == (True, before.id)
