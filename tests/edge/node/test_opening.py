"""A source that nobody wants any more while it is being opened does not stay open."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edge.node import source_keeper
from edge.node.opening import Opening
from tests.edge.node.scripted_source import ScriptedSource, make_worker


class SlowSource(ScriptedSource):
    """Its driver takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.may_open, self.was_closed = threading.Event(), threading.Event()
        self.is_open = False

    def open(self) -> None:
        self.may_open.wait(30.0)
        super().open()
        self.is_open = True

    def close(self) -> None:
        self.is_open = False
        self.was_closed.set()


def test_worker_that_ends_while_its_source_is_opened_leaves_it_closed(tmp_path: Path) -> None:
    source = SlowSource()
    worker, said = make_worker(source, tmp_path)
    worker.begin(opening=True)
    worker.finish("no longer in the configuration")
    assert said.of("availability") == ["offline"]
    assert not source.was_closed.is_set()  # nobody may touch it yet, and nobody waits
    source.may_open.set()
    assert source.was_closed.wait(10.0)
    assert (source.opened, source.is_open) == (1, False)


def test_worker_that_is_discarded_before_its_source_was_open_leaves_it_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_keeper, "OPEN_WAIT_S", 0.0)
    source = SlowSource()
    worker, said = make_worker(source, tmp_path)
    worker.prepare()
    worker.discard()
    source.may_open.set()
    assert source.was_closed.wait(10.0)
    assert not source.is_open
    assert said.messages == []


def test_opening_that_is_abandoned_when_it_is_over_closes_the_source_at_once() -> None:
    source = SlowSource()
    source.may_open.set()
    opening = Opening(source)
    assert opening.wait(10.0)
    assert source.is_open
    opening.abandon()
    assert not source.is_open
