"""A listener that takes over in the middle of a stream."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.audio.block import Block
from edge.audio.recent import Recent
from edge.judgement.window import Window
from edge.node.standby_listener import StandbyListener
from edge.pipeline import Listener
from tests.bundles import RATE_HZ, CalibratedMachine, Float32
from tests.edge.node.scripted_source import RATE_HZ as RATE_16K_HZ
from tests.edge.node.scripted_source import ScriptedSource, make_worker, noise
from tests.edge.node.tiny_daemon import LoudnessListener

Part = Float32 | int


def windows_of(machine: CalibratedMachine, parts: list[Part]) -> list[Window]:
    listener = Listener(machine.model, RATE_HZ)
    results = [result for part in parts for result in (listener.lose(part) if isinstance(part, int) else listener.push(part))]
    return [result for result in results if isinstance(result, Window)]


def succeeding(machine: CalibratedMachine, parts: list[Part], capacity_s: float) -> list[Window]:
    """What a standby says that begins after three quarters of the parts, and hears the last of them after it has caught up."""
    recent = Recent(round(capacity_s * RATE_HZ))
    standby = StandbyListener(Listener(machine.model, RATE_HZ), machine.model.bundle, RATE_HZ, recent)
    begins = 3 * len(parts) // 4
    for index, part in enumerate(parts):
        recent.add(part)
        if index in (begins, begins + 1):
            standby.catch_up()
    assert standby.behind_s > 0.0
    standby.catch_up()
    assert standby.behind_s == 0.0
    return standby.windows


def blocks(samples: Float32, seconds: float = 0.3) -> list[Part]:
    size = round(seconds * RATE_HZ)
    return [samples[start : start + size] for start in range(0, len(samples), size)]


def test_successor_of_a_stream_that_is_known_from_its_beginning_says_the_same_bit_for_bit(machine: CalibratedMachine) -> None:
    parts = blocks(machine.samples[: 22 * RATE_HZ])
    parts[40:40] = [RATE_HZ // 3]
    told, expected = succeeding(machine, parts, 40.0), windows_of(machine, parts)
    assert len(told) == len(expected) > 15
    assert [(window.t_end_s, window.score, window.lost_s) for window in told] == [
        (window.t_end_s, window.score, window.lost_s) for window in expected
    ]


def test_successor_of_a_long_stream_soon_says_the_same(machine: CalibratedMachine) -> None:
    parts = blocks(np.tile(machine.samples, 4))  # 100 s, with a jump every 25 s
    told = {window.t_end_s: window for window in succeeding(machine, parts, 40.0)}
    expected = {window.t_end_s: window for window in windows_of(machine, parts) if window.t_end_s > 75.0}
    assert expected.keys() <= told.keys()  # on the same grid
    differences = [abs((told[end_s].score or 0.0) - (window.score or 0.0)) for end_s, window in expected.items()]
    assert all(told[end_s].lost_s == 0.0 for end_s in expected)
    assert max(differences) < 0.01


@pytest.mark.parametrize("position", [0, 5, 10, 12, 16, 17])
def test_recent_knows_what_came_since_and_forgets_what_is_too_old(position: int) -> None:
    recent = Recent(8)
    stream = np.arange(20, dtype=np.float32)
    for start, stop in ((0, 4), (4, 10)):
        recent.add(stream[start:stop])
    recent.add(2)  # lost
    recent.add(stream[12:17])
    start, parts = recent.since(position)
    assert start == max(position, 4)  # 9 .. 17 are wanted, and blocks are kept whole
    heard = [value for part in parts for value in ([None] * part if isinstance(part, int) else part.tolist())]
    assert heard == [None if 10 <= index < 12 else float(index) for index in range(start, 17)]


def test_recent_keeps_no_more_than_its_own_copy() -> None:
    recent = Recent(8)
    stereo = np.zeros((4, 2), np.float32)
    recent.add(Block(stereo[:, 0]).samples)
    (part,) = recent.since(0)[1]
    assert not isinstance(part, int)
    assert (part if part.base is None else part.base).nbytes == 16


def test_worker_that_changes_its_bundle_has_heard_what_came_while_the_successor_was_prepared(tmp_path: Path) -> None:
    source = ScriptedSource([noise(1.2), noise(0.9, 0.9), noise(0.9, 0.9), noise(2.0)])
    worker, said = make_worker(source, tmp_path)
    worker.open()
    worker.step()
    assert worker.listening is not None
    standby = StandbyListener(LoudnessListener(RATE_16K_HZ), worker.bundle, RATE_16K_HZ, worker.listening.recent)
    standby.catch_up()
    worker.step()  # an event opens
    worker.step()
    assert standby.behind_s == pytest.approx(1.8)
    assert worker.bundle is not None
    other = replace(worker.bundle, sha256="1" * 64)
    worker.change_bundle(other, LoudnessListener, standby)
    worker.step()
    worker.finish()
    whole, expected = make_worker(ScriptedSource([noise(1.2), noise(0.9, 0.9), noise(0.9, 0.9), noise(2.0)]), tmp_path)
    whole.open()
    while whole.step():
        pass
    whole.finish()
    assert [window["score"] for window in said.of("score")] == [window["score"] for window in expected.of("score")]
    assert len(said.of("score")) == 10
    events = said.of("event")
    assert whole.bundle is not None
    assert [(event["type"], event["seq"], event["bundle"][7:9]) for event in events[:2]] == [
        ("opened", 1, whole.bundle.sha256[:2]),
        ("closed", 2, whole.bundle.sha256[:2]),
    ]
    assert {event["bundle"] for event in events[2:]} <= {"sha256:" + "1" * 64}
    assert said.of("state")[:3] == ["OFF", "ON", "OFF"]
