"""From a mark to the listener: what it is told to leave out, now and after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge.judgement.taught import EventSound
from edge.remote import inbox
from edge.remote.source_control import marks_in_force
from tests.edge.node.tiny_daemon import LoudnessListener
from tests.edge.remote.test_verbs import Site, normal

Told = tuple[list[str], list[str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Told]:
    """What the listener was taught; each of its events has a sound."""
    told: list[Told] = []
    known: list[str | None] = [None]  # which event was open

    def teach(_self: object, false_alarms: Sequence[EventSound], real: Sequence[EventSound] = ()) -> None:
        told.append(([sound.event for sound in false_alarms], [sound.event for sound in real]))

    def event_sounds(self: LoudnessListener) -> list[EventSound]:
        before, now = known[-1], None if self._event is None else self._event[0]
        known.append(now)
        return [EventSound(before, np.ones((2, 64), np.float32), np.ones(2, np.int64))] if before is not None and before != now else []

    monkeypatch.setattr(LoudnessListener, "teach", teach)
    monkeypatch.setattr(LoudnessListener, "event_sounds", event_sounds)
    return told


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Told]) -> Site:
    monkeypatch.setattr(inbox, "BURST", 1000)
    return Site(tmp_path)


def opened(site: Site) -> list[str]:
    return [event["id"] for event in site.said.of("event") if event["type"] == "opened"]


def heard(site: Site) -> list[str]:
    """Two events, each of which is over."""
    for peaks in ([0.2, 0.2, 0.6, 0.6, 0.2], [0.2, 0.7, 0.2, 0.2]):
        for peak in peaks:
            site.hear([peak])
    return opened(site)


def test_mark_teaches_the_listener_at_once_and_clear_takes_it_back(site: Site, told: list[Told], tmp_path: Path) -> None:
    first, second = heard(site)
    answer = site.ask("mark", event=first, verdict="false_alarm")
    assert answer["taught"]
    assert told[-1] == ([first], [])
    site.ask("mark", event=second, verdict="real")
    assert told[-1] == ([first], [second])
    site.remote.close()
    kept = marks_in_force(tmp_path / "state", "pump1")
    assert [[sound.event for sound in sounds] for sounds in kept] == [[first], [second]]
    assert not site.ask("mark", event=first, verdict="clear")["taught"]
    assert told[-1] == ([], [second])


def test_mark_of_an_event_that_is_open_teaches_when_it_is_over(site: Site, told: list[Told]) -> None:
    site.hear([0.2])
    site.hear([0.6])
    (event,) = opened(site)
    assert not site.ask("mark", event=event, verdict="false_alarm")["taught"]
    assert told[-1] == ([], [])
    site.hear([0.2])
    assert told[-1] == ([event], [])


def test_recalibrate_leaves_out_false_alarms_that_were_taught(site: Site) -> None:
    site.hear(normal(3700))
    first, _ = heard(site)
    site.hear(normal(60))
    site.ask("mark", event=first, verdict="false_alarm")
    answer = site.ask("recalibrate-threshold", source="pump1")
    assert (answer["false_alarms"], answer["events_left_out"]) == (0, 2)
