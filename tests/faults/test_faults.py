"""A minute of `make test-faults`, and what its checks find."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.faults.delivery import check_delivery
from tests.faults.recorder import Arrival
from tests.faults.schedule import draw
from tests.faults.site import FULL, SHORT, missing_programs, run_drill
from tests.faults.sound import Sound, check_sound
from tests.faults.verdict import judge
from tests.faults.watched import Life

SEED = 20261121
ID, OTHER_ID = "01HZZZZZZZZZZZZZZZZZZZZZZZ", "01HZZZZZZZZZZZZZZZZZZZZZZY"
CELL_S = 0.128
HOP_CELLS, WINDOW_CELLS = 4, 23
KILLED_S = 1000.0  # when the life of a test ends

Message = dict[str, Any]
Tap = dict[str, Any]


@pytest.mark.slow  # a minute of real time
@pytest.mark.timeout(400)
def test_faults_a_minute_of_troubles_every_event_arrives_once_and_every_second_is_accounted_for(tmp_path: Path) -> None:
    if missing := missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}; make setup")
    verdict = judge(run_drill(tmp_path, SEED, SHORT, print))
    for row in verdict.table():
        print(*row, sep=": ")
    assert verdict.problems == ()
    assert verdict.evidence.troubles == SHORT.troubles
    assert verdict.delivery.logged > 0


def test_draw_holds_every_trouble_once_per_slot_and_is_the_same_for_a_seed() -> None:
    troubles = draw(1, 384.0, FULL.troubles)
    assert troubles == draw(1, 384.0, FULL.troubles) != draw(2, 384.0, FULL.troubles)
    for kind in FULL.troubles:
        ours = [trouble for trouble in troubles if trouble.kind == kind]
        assert len(ours) == FULL.troubles[kind]
        assert all(one.at_s + one.lasts_s < other.at_s for one, other in pairwise(ours))
        assert ours[-1].at_s + ours[-1].lasts_s < 384.0


def message(seq: int, kind: str, name: str = ID, **changes: object) -> Message:
    return {
        "id": name,
        "source": "machine1",
        "epoch": "5e",
        "seq": seq,
        "type": kind,
        "t_start": "2026-11-20T10:00:00.000Z",
        "t_end": "2026-11-20T10:00:02.000Z",
        "replayed": False,
        "interrupted": False,
        **changes,
    }


def arrivals(messages: list[Message]) -> list[Arrival]:
    return [Arrival("machine/event", json.dumps(one).encode(), again=False) for one in messages]


def logging_life(*names: str) -> Life:
    taps = [
        {"kind": "event", "source": "machine1", "id": name, "type": kind, "from_s": 5.0, "to_s": 7.0}
        for name in names
        for kind in ("opened", "closed")
    ]
    lines = [f"WARNING auscult.source: machine: event {name} opened from 2026-11-20T10:00:00.000Z, 2.0 s" for name in names]
    return Life(0, 0.0, KILLED_S, lines, taps)


STORY = [message(1, "opened"), message(2, "updated"), message(3, "closed")]


@pytest.mark.parametrize(
    ("names", "messages", "problem"),
    [
        ([ID], STORY, None),
        ([ID], [*STORY, {**STORY[1], "replayed": True}], None),
        ([], STORY, None),  # the line was cut off
        ([ID], [*STORY[:2], message(3, "closed", interrupted=True, t_end="2026-11-20T10:00:01.000Z")], None),
        ([ID, OTHER_ID], STORY, f"event {OTHER_ID} is in the log and never arrived"),
        ([ID, ID], STORY, "the log opens an event twice"),
        ([ID], [*STORY, STORY[1]], "seq 2 came twice and does not admit it"),
        ([ID], [*STORY, {**STORY[1], "replayed": True, "id": OTHER_ID}], "seq 2 came twice and said two things"),
        ([ID], [STORY[0], STORY[2], STORY[1]], "seq goes from 1 to 3"),
        ([ID], [STORY[0], message(3, "closed")], "seq goes from 1 to 3"),
        ([ID], STORY[:2], f"event {ID}: its messages are ['opened', 'updated']"),
        ([ID], [message(1, "opened"), *STORY[:0], message(2, "opened")], f"event {ID}: its messages are ['opened', 'opened']"),
        (
            [ID],
            [*STORY[:2], message(3, "closed", t_end="2026-11-20T11:00:02.000Z")],
            f"event {ID}: closed after 2.000 s, and its stamps are 3602.000 s apart",
        ),
    ],
)
def test_check_delivery_finds_what_is_missing_twice_or_out_of_order(names: list[str], messages: list[Message], problem: str | None) -> None:
    delivery = check_delivery([logging_life(*names)], arrivals(messages))
    assert (problem is None) == (delivery.problems == [])
    assert problem is None or problem in delivery.problems


def windows(seconds: float, late_s: float = 0.0, unheard: tuple[int, int] = (0, 0)) -> list[Tap]:
    """Of a stream that began at 0 on the clock; cells `unheard` of it were not heard, and its windows come late from the middle on."""
    taps = []
    for last in range(WINDOW_CELLS, int(seconds / CELL_S), HOP_CELLS):
        first = last - WINDOW_CELLS
        start, stop = max(unheard[0], first), min(unheard[1], last)
        missing = max(0, stop - start)
        taps.append(
            {
                "kind": "window",
                "source": "machine1",
                "from_s": first * CELL_S,
                "to_s": last * CELL_S,
                "score": 0.1 if missing <= WINDOW_CELLS / 2 else None,
                "lost_s": missing * CELL_S,
                "unheard": [(start - first, stop - first)] if missing else [],
                "cell_s": CELL_S,
                "heard_at_s": last * CELL_S + (late_s if last * CELL_S > seconds / 2 else 0.0),
            }
        )
    return [tap for tap in taps if tap["unheard"] != [(0, WINDOW_CELLS)]]


def lost(from_s: float, to_s: float, counted_s: float | None = None) -> list[Tap]:
    counted_s = to_s - from_s if counted_s is None else counted_s
    return [
        {"kind": "losses", "source": "machine1", "lost_s": counted_s},
        {"kind": "lost", "source": "machine1", "from_s": from_s, "to_s": to_s},
    ]


def sound_of(taps: list[Tap], ended_s: float = 60.0, silent: tuple[tuple[float, float], ...] = ()) -> Sound:
    return check_sound([Life(0, -1.0, ended_s, [], taps)], silent)


GAP = (200, 280)  # cells: 25.6 to 35.84 s


@pytest.mark.parametrize(
    ("make", "scored_s", "lost_s", "silent_s"),
    [
        (lambda: sound_of(windows(60.0)), 59.8, 0.0, 0.0),
        (lambda: sound_of([*windows(60.0, unheard=GAP), *lost(25.7, 35.8)]), 49.5, 10.1, 0.1),
        (lambda: sound_of(windows(60.0, unheard=GAP), silent=((26.0, 35.5),)), 49.5, 0.0, 10.2),
    ],
)
def test_check_sound_every_second_is_scored_or_lost_or_silent(
    make: Callable[[], Sound], scored_s: float, lost_s: float, silent_s: float
) -> None:
    sound = make()
    assert sound.problems == []
    assert (sound.scored_s, sound.lost_s, sound.silent_s) == pytest.approx((scored_s, lost_s, silent_s), abs=0.2)
    assert sound.scored_s + sound.lost_s + sound.silent_s + sound.unjudged_s == pytest.approx(sound.passed_s)


@pytest.mark.parametrize(
    ("taps", "ended_s", "silent", "problem"),
    [
        (windows(60.0, late_s=2.0), 62.0, (), "windows are up to 2.00 s from where the clock has them"),
        (windows(60.0, unheard=GAP), 60.0, (), "of what was played are neither scored nor counted as lost"),
        ([*windows(60.0, unheard=GAP), *lost(25.7, 35.8, counted_s=25.0)], 60.0, (), "told of 10.10 s lost, and `lost_s` is 25.00 s"),
        ([*windows(60.0), *lost(25.7, 35.8)], 60.0, (), "what was lost from 25.7 to 35.8 s was scored"),
        (windows(60.0), 70.0, (), "s before its end were neither judged nor counted as lost"),
        (windows(60.0), 60.0, ((20.0, 30.0),), "something was scored between 20.0 and 30.0 s, when nothing was played"),
        ([{**window, "lost_s": 1.0} for window in windows(60.0)], 60.0, (), "says that 1.00 s were lost, and its map 0.00 s"),
        ([{**window, "score": 0.1} for window in windows(60.0, unheard=GAP)], 60.0, (), "s of it were not heard"),
    ],
)
def test_check_sound_finds_seconds_that_vanish(
    taps: list[Tap], ended_s: float, silent: tuple[tuple[float, float], ...], problem: str
) -> None:
    assert any(problem in found for found in sound_of(taps, ended_s, silent).problems)
