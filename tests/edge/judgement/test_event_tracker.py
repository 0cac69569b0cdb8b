from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from edge.judgement.event import Event
from edge.judgement.event_tracker import EventSettings, EventTracker
from edge.judgement.window import Localization, Region, Window

WINDOW_S = 10.0
HOP_S = 0.5
CELL_S = 0.04


def window(end_s: float, score: float | None, hot: tuple[float, float] | None = None, lost_s: float = 0.0) -> Window:
    """A window with one region, in seconds of the stream."""
    start_s = end_s - WINDOW_S
    time_scores = np.full(250, 0.2, np.float32)
    regions: tuple[Region, ...] = ()
    if score is not None and score >= 1.0:
        first_s, last_s = hot or (end_s - 0.4, end_s)
        first, last = max(0, round((first_s - start_s) / CELL_S)), min(250, round((last_s - start_s) / CELL_S))
        time_scores[first:last] = score
        regions = (Region(first * CELL_S, last * CELL_S, 1000.0, 2000.0, score),)
    p_value = None if score is None else 0.001 / (1 + score)
    return Window(
        start_s, end_s, score, p_value, score is not None and score >= 1.0, {}, lost_s, Localization(CELL_S, time_scores, regions)
    )


@dataclass
class Told:
    """What a tracker tells of a run of scores, one every half second from 10 s on."""

    settings: EventSettings = field(default_factory=EventSettings)
    events: list[Event] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)  # when each was told

    def scores(self, scores: Sequence[float | None], finish: bool = False) -> list[tuple[str, float]]:
        ids = iter("ABCDEFGH")
        tracker = EventTracker(self.settings, lambda: next(ids))
        end_s = WINDOW_S
        for score in scores:
            for event in tracker.push(window(end_s, score)):
                self.events.append(event)
                self.at_s.append(end_s)
            end_s += HOP_S
        if finish:
            for event in tracker.finish():
                self.events.append(event)
                self.at_s.append(end_s)
            assert not tracker.is_open
        return [(event.type, at_s) for event, at_s in zip(self.events, self.at_s, strict=True)]


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([0.5] * 10, []),
        ([0.99] * 10, []),  # below the alarm threshold
        ([0.5, 1.5, 0.5, 0.5], []),  # too short
        ([0.5, 1.0, 0.95, 0.95, 0.95], []),  # above the release score only: it did not stay above the threshold
        ([0.5, 1.5, 1.5, 0.5], [("opened", 11.0)]),
        ([0.5, 1.0, 1.0], [("opened", 11.0)]),  # at the threshold is above it
        ([1.5, 1.5] + [0.5] * 10, [("opened", 10.5), ("closed", 15.5)]),  # five seconds below, from 10.5 s
        ([1.5, 1.5] + [0.95] * 12, [("opened", 10.5)]),  # not below the release score: it lasts
        ([1.5, 1.5] + [0.5] * 9 + [1.5] + [0.5] * 10, [("opened", 10.5), ("closed", 20.5)]),  # within the cooldown: one event
        ([1.5, 1.5] + [0.5] * 9 + [0.95] + [0.5] * 10, [("opened", 10.5), ("closed", 20.5)]),
        ([1.5, 1.5] + [None] * 30, [("opened", 10.5)]),  # nobody knows
        ([None, 1.5, None, 1.5, None], [("opened", 11.5)]),
        ([1.5, 1.5] + [None] * 12 + [0.5], [("opened", 10.5), ("closed", 17.0)]),
        ([1.5] * 45, [("opened", 10.5), ("updated", 20.5), ("updated", 30.5)]),
        ([1.5] * 2 + [0.5] * 12 + [1.5] * 2, [("opened", 10.5), ("closed", 15.5), ("opened", 17.5)]),
    ],
)
def test_events_follow_the_scores(scores: list[float | None], told: list[tuple[str, float]]) -> None:
    assert Told().scores(scores) == told


def test_events_on_both_sides_of_a_long_gap_are_two() -> None:
    tracker = EventTracker(EventSettings())
    told = [event for end_s in (10.0, 10.5, 60.0, 60.5) for event in tracker.push(window(end_s, 1.5))]
    assert [event.type for event in told] == ["opened", "closed", "opened"]
    assert told[0].id == told[1].id != told[2].id
    assert told[1].t_end_s == pytest.approx(10.5, abs=CELL_S)
    assert told[2].t_start_s == pytest.approx(59.6, abs=CELL_S)


def test_events_of_one_fault_share_an_id_and_count_without_gaps() -> None:
    told = Told()
    told.scores([1.5] * 25 + [0.5] * 12 + [1.2] * 3 + [0.5] * 12)
    assert [(event.id, event.type, event.seq) for event in told.events] == [
        ("A", "opened", 1),
        ("A", "updated", 2),
        ("A", "closed", 3),
        ("B", "opened", 4),
        ("B", "closed", 5),
    ]


def test_events_finish_closes_what_is_open_and_only_that() -> None:
    assert Told().scores([1.5] * 3, finish=True) == [("opened", 10.5), ("closed", 11.5)]
    assert Told().scores([1.5], finish=True) == []
    assert Told().scores([1.5] * 3 + [0.5] * 10, finish=True) == [("opened", 10.5), ("closed", 16.0)]


def test_events_minimum_duration_is_kept() -> None:
    assert Told(EventSettings(minimum_duration_s=2.0)).scores([1.5] * 4) == []
    assert Told(EventSettings(minimum_duration_s=2.0)).scores([1.5] * 5) == [("opened", 12.0)]
    assert Told(EventSettings(minimum_duration_s=0.0)).scores([1.5]) == [("opened", 10.0)]


def sure(end_s: float, score: float) -> Window:
    return replace(window(end_s, score), sure=True)


def told_of(tracker: EventTracker, windows: Sequence[Window]) -> list[tuple[str, float]]:
    return [(event.type, one.t_end_s) for one in windows for event in tracker.push(one)]


def test_events_a_sure_window_opens_at_once_and_what_is_known_later_is_told_when_it_has_lasted() -> None:
    tracker = EventTracker(EventSettings())
    (opened,) = tracker.push(sure(10.0, 3.0))
    assert (opened.type, opened.peak_score, tracker.is_open) == ("opened", 3.0, True)
    assert tracker.push(window(10.3, 4.0)) == []
    (updated,) = tracker.push(window(10.5, 3.5))
    assert (updated.type, updated.id, updated.seq, updated.peak_score) == ("updated", opened.id, opened.seq + 1, 4.0)
    assert updated.t_end_s > opened.t_end_s
    rest = told_of(tracker, [window(11.0 + 0.5 * hop, 3.0 if hop < 20 else 0.5) for hop in range(40)])
    assert rest == [("updated", 20.5), ("closed", 25.5)]


def test_events_one_that_was_sure_and_did_not_last_is_updated_and_closed_like_any_other() -> None:
    told = told_of(EventTracker(EventSettings()), [sure(10.0, 3.0), *(window(10.5 + 0.5 * hop, 0.5) for hop in range(12))])
    assert told == [("opened", 10.0), ("updated", 10.5), ("closed", 15.0)]


def test_events_a_second_window_that_is_sure_opens_what_the_first_began() -> None:
    assert told_of(EventTracker(EventSettings()), [window(10.0, 1.1), sure(10.2, 3.0), window(10.5, 3.0)]) == [
        ("opened", 10.2),
        ("updated", 10.5),
    ]


@pytest.mark.parametrize(("minimum_duration_s", "opened_s"), [(0.0, 10.0), (9.5, 10.0), (10.0, 20.0), (12.0, 22.0)])
def test_events_minimum_duration_of_a_window_or_more_is_kept_however_sure(minimum_duration_s: float, opened_s: float) -> None:
    tracker = EventTracker(EventSettings(minimum_duration_s=minimum_duration_s))
    assert tracker.opens_early(10.0) == (minimum_duration_s < 10.0)
    assert told_of(tracker, [sure(10.0 + 0.5 * hop, 3.0) for hop in range(30)])[0] == ("opened", opened_s)


def test_events_a_look_between_windows_opens_an_event_if_it_is_sure_and_does_nothing_else() -> None:
    tracker = EventTracker(EventSettings())
    assert tracker.look(window(10.1, 5.0)) == []
    assert tracker.push(window(10.5, 1.2)) == []  # the look has not begun to count
    assert tracker.look(window(10.7, 0.1)) == []  # nor does it end anything
    assert [event.type for event in tracker.push(window(11.0, 1.2))] == ["opened"]
    assert tracker.look(sure(11.3, 9.0)) == []
    assert tracker.finish()[0].peak_score == 1.2
    assert [event.type for event in tracker.look(sure(11.7, 9.0))] == ["opened"]


def test_events_times_are_those_of_the_cells_not_of_the_windows() -> None:
    tracker = EventTracker(EventSettings())
    events = []
    for index in range(60):
        end_s = 10.0 + 0.5 * index
        inside = end_s - 10.0 < 17.8 and end_s >= 12.2  # the fault is in the window
        events += tracker.push(window(end_s, 3.0 if inside else 0.4, hot=(12.0, 18.0)))
    opened, *_, closed = events
    assert (opened.type, closed.type) == ("opened", "closed")
    assert opened.t_start_s == closed.t_start_s == pytest.approx(12.0, abs=0.04)
    assert closed.t_end_s == pytest.approx(18.0, abs=0.04)
    (region,) = closed.regions
    assert region.t0_s == pytest.approx(0.0, abs=0.05)  # counts from the event's start
    assert region.t1_s == pytest.approx(6.0, abs=0.05)


def test_events_carry_the_highest_window_s_score() -> None:
    told = Told()
    told.scores([1.2, 1.3, 4.0, 1.1] + [0.5] * 10)
    opened, closed = told.events
    assert (opened.peak_score, closed.peak_score) == (1.3, 4.0)
    assert closed.p_value == pytest.approx(0.001 / 5.0)


def test_events_is_open_is_the_state_that_was_published() -> None:
    tracker = EventTracker(EventSettings())
    states = []
    for index, score in enumerate([0.5, 1.5, 1.5, 0.5] + [0.5] * 10):
        tracker.push(window(10.0 + 0.5 * index, score))
        states.append(tracker.is_open)
    assert states == [False, False] + [True] * 10 + [False] * 2


def test_events_lost_columns_do_not_stretch_an_event() -> None:
    lost = window(20.0, 2.0, hot=(15.0, 16.0), lost_s=4.0)
    lost.localization.time_scores[:100] = np.nan
    tracker = EventTracker(EventSettings(minimum_duration_s=0.0))
    (event,) = tracker.push(lost)
    assert [event.t_start_s, event.t_end_s] == pytest.approx([15.0, 16.0])
    assert event.lost_s == 4.0


def test_events_times_leave_out_the_halo_of_a_loud_fault_but_no_fainter_one_beside_it() -> None:
    loud = window(20.0, 50.0)
    scores = loud.localization.time_scores
    scores[:] = 0.1
    scores[50:55] = 2.0  # a faint fault, 12.0 .. 12.2 s
    scores[150:200] = 50.0  # a loud one, 16.0 .. 18.0 s,
    scores[134:150] = scores[200:216] = 10.0  # and its halo
    tracker = EventTracker(EventSettings(minimum_duration_s=0.0))
    (event,) = tracker.push(loud)
    assert [event.t_start_s, event.t_end_s] == pytest.approx([12.0, 18.0])
    scores[50:55] = 0.1
    (alone,) = EventTracker(EventSettings(minimum_duration_s=0.0)).push(loud)
    assert [alone.t_start_s, alone.t_end_s] == pytest.approx([16.0, 18.0])
