"""A reload that takes long: it is reported, it can be ended, and the daemon continues."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from numpy.typing import NDArray

from edge.config.load import load_config
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.node.assembly import Assembly
from edge.node.plan import Plan
from edge.node.reload import Reloader
from edge.node.source_worker import SourceWorker
from tests.broker import HOST
from tests.bundles import CalibratedMachine
from tests.edge.node.scripted_source import ScriptedSource, make_worker, noise
from tests.edge.node.tiny_daemon import LoudnessListener


class Paused:
    """What a reload needs of an assembly; the new listener waits in its first piece until it is let go."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.begun, self.may_go_on = threading.Event(), threading.Event()
        self.pieces = 0

    def adopt(self, plan: Plan) -> None:
        self.plan = plan

    def make_listener(self, _name: str, _plan: Plan) -> Callable[[int], LoudnessListener]:
        paused = self

        class PausedListener(LoudnessListener):
            def push(self, samples: NDArray[Any]) -> list[Window | Event]:
                paused.pieces += 1
                paused.begun.set()
                paused.may_go_on.wait(30.0)
                return super().push(samples)

        return PausedListener


class Reloading:
    """A reload that has begun to let a new listener hear twenty seconds."""

    def __init__(self, machine: CalibratedMachine, folder: Path) -> None:
        path = folder / "config.yaml"
        source = {"bundle": str(machine.bundle), "stdin": {"rate_hz": 16000}}
        config = {"node": "test", "mqtt": {"host": HOST}, "sources": {"pump1": source}}
        path.write_text(yaml.safe_dump(config))
        self.paused = Paused(Plan.of(load_config(path)))
        path.write_text(yaml.safe_dump({**config, "inference": {"threads": 2}}))
        self.source = ScriptedSource([noise(20.0)])
        self.worker, _ = make_worker(self.source, folder)
        self.worker.open()
        self.worker.step()
        self.told: list[str | None] = []
        self.reloader = Reloader(path, cast(Assembly, self.paused))
        self.reloader.request(self.told.append)
        self.poll()
        assert self.paused.begun.wait(30.0)

    def poll(self, between: Callable[[], None] = lambda: None) -> dict[str, SourceWorker] | None:
        return self.reloader.poll({"pump1": self.worker}, between)

    def let_go(self) -> None:
        thread = self.reloader._thread
        assert thread is not None
        self.paused.may_go_on.set()
        thread.join(30.0)
        assert not thread.is_alive()


@pytest.fixture
def reloading(machine: CalibratedMachine, tmp_path: Path) -> Reloading:
    return Reloading(machine, tmp_path)


def test_reload_that_is_cancelled_ends_with_the_piece_that_it_is_in(reloading: Reloading) -> None:
    reloading.reloader.cancel()
    assert reloading.told == ["the daemon is stopping"]
    reloading.let_go()
    assert reloading.paused.pieces == 1


def test_reload_that_is_not_over_is_reported_once_and_applied_when_it_is(reloading: Reloading, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        reloading.poll()
        assert reloading.reloader.last is None  # a minute is not over
        reloading.reloader._slow_at_s = 0.0
        for _ in range(3):
            assert reloading.poll() is None
        (told,) = [record.getMessage() for record in caplog.records if record.name == "auscult"]
        assert "config.yaml: the reload is not finished after 60 s" in told
        last = reloading.reloader.last
        assert last is not None
        assert (last.result, "not finished after 60 s" in (last.problem or "")) == ("running", True)
        assert reloading.told == []
        reloading.let_go()
        assert reloading.poll() == {"pump1": reloading.worker}
    assert (reloading.reloader.last.result, reloading.told) == ("applied", [None])


def test_reload_whose_rest_takes_long_between_two_turns_says_that_the_daemon_makes_progress(
    reloading: Reloading, caplog: pytest.LogCaptureFixture
) -> None:
    reloading.let_go()
    reloading.source.steps = [noise(2.0)]
    reloading.worker.step()
    rounds: list[int] = []
    with caplog.at_level(logging.WARNING):
        assert reloading.poll(lambda: rounds.append(reloading.paused.pieces)) is not None
    assert rounds == [40, 41, 42, 43]  # once before each piece of half a second
