from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.dashboard.cells import BEFORE_S, NOTHING, RECENT_S, Cells, EventCells, RecentCells, pack, parse_cells, unpack
from edge.judgement.cells import Cells as Picture
from edge.mqtt.encoding import cells_payload
from edge.mqtt.timestamp import timestamp

START_S = 1.8e9
STEP_S = 0.5
EDGES = tuple(float(50 + 100 * band) for band in range(17))


def message(start_s: float, values: list[int], **more: Any) -> bytes:
    """One as a node sends it, in which each step has one value."""
    level = np.repeat(np.array(values, np.float32)[:, None], 16, axis=1) - 130.0  # (step, band) dB
    picture = Picture(0.0, STEP_S, EDGES, level, np.full_like(level, 0.5))
    payload = msgspec.to_builtins(cells_payload("pump1", picture, lambda at_s: timestamp(start_s + at_s)))
    return json.dumps({**payload, **more}).encode()


def levels(cells: Cells) -> list[int]:
    return list(base64.b64decode(cells.level)[:: cells.bands])


def test_message_of_a_node_is_understood() -> None:
    cells = parse_cells(message(START_S, [10, 20]))
    assert (cells.bands, cells.steps, cells.start_s, cells.end_s) == (16, 2, START_S, START_S + 1.0)
    assert levels(cells) == [10, 20]


@pytest.mark.parametrize(
    "more",
    [
        {"steps": 3},
        {"steps": 10**9},
        {"level": "not base64!"},
        {"level": ""},
        {"anomaly": None},
        {"band_edges_hz": [100.0] * 17},
        {"band_edges_hz": []},
        {"step_s": 0.0},
        {"t_start": "2026-13-45T10:00:00.000Z"},
        {"t_start": "yesterday"},
    ],
)
def test_message_that_does_not_fit_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        parse_cells(message(START_S, [10, 20], **more))


def test_recent_cells_have_an_end_and_forget_another_clock() -> None:
    recent = RecentCells()
    for index in range(500):
        recent.add(parse_cells(message(START_S + index, [index % 200, index % 200])))
    kept = recent.since(0.0)
    assert RECENT_S <= kept[-1].end_s - kept[0].start_s <= RECENT_S + 2.0
    recent.add(parse_cells(message(START_S - 1000.0, [1, 1])))
    assert len(recent.since(0.0)) == 1


def test_flood_of_cells_of_one_moment_takes_no_more_memory() -> None:
    recent, picture = RecentCells(), EventCells("e", START_S, None)
    cells = parse_cells(message(START_S, [1, 1]))
    for _ in range(1000):
        recent.add(cells)
        picture.add(cells)
    assert len(recent.since(0.0)) == 1
    assert len(picture._parts) == 1


def test_picture_of_an_event_is_joined_from_before_it_to_after_it_with_gaps() -> None:
    recent = RecentCells()
    for index in range(20):
        recent.add(parse_cells(message(START_S + index, [100 + index, 100 + index])))
    event = EventCells("id", START_S + 15.0, recent)
    event.add(parse_cells(message(START_S + 22.0, [122, 122])))  # two seconds were lost
    event.closes(START_S + 18.0)
    assert event.is_complete(START_S + 23.0)
    data = event.picture()
    assert data is not None
    cells = unpack(data)
    assert cells.start_s == START_S + 15.0 - BEFORE_S
    assert levels(cells) == [value for index in range(10, 20) for value in (100 + index, 100 + index)] + [NOTHING] * 4 + [122, 122]


def test_picture_that_nobody_watched_is_none() -> None:
    event = EventCells("id", START_S, None)
    assert event.picture() is None
    assert event.is_complete(START_S + 1000.0)


def test_packed_picture_is_the_same_when_unpacked() -> None:
    cells = parse_cells(message(START_S, [1, 2]))
    assert unpack(pack(cells)) == cells
