"""Reports for other threads: made by the daemon's, when they are asked for, at most once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from docs.generator.metrics import example
from edge.node import node_report
from edge.node.node_report import NodeReport, ReportDesk


class Asking:
    """A thread that has asked."""

    def __init__(self, desk: ReportDesk, wait_s: float = 30.0) -> None:
        self.answer: NodeReport | Exception | None = None
        self._desk, self._wait_s = desk, wait_s
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self.answer = self._desk.ask(self._wait_s)
        except TimeoutError as error:
            self.answer = error

    def over(self) -> NodeReport | Exception | None:
        self._thread.join(30.0)
        return self.answer


def polled(desk: ReportDesk, make: Callable[[], NodeReport], times: int = 1) -> None:
    """Until it has made so many."""
    deadline_s = time.monotonic() + 30.0
    made: list[NodeReport] = []

    def counted() -> NodeReport:
        made.append(make())
        return made[-1]

    while len(made) < times and time.monotonic() < deadline_s:
        desk.poll(counted)
    assert len(made) == times


def test_desk_makes_no_report_that_nobody_asked_for() -> None:
    desk = ReportDesk()
    desk.poll(lambda: pytest.fail("made"))


def test_desk_report_is_made_in_the_thread_that_polls_and_kept_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_report, "KEPT_S", 30.0)
    desk, threads = ReportDesk(), []

    def make() -> NodeReport:
        threads.append(threading.current_thread())
        return example()

    asking = [Asking(desk) for _ in range(5)]
    polled(desk, make)
    answers = [one.over() for one in asking]
    assert isinstance(answers[0], NodeReport)
    assert all(answer is answers[0] for answer in answers)
    assert desk.ask(0.0) is answers[0]
    desk.poll(lambda: pytest.fail("made again"))
    assert threads == [threading.current_thread()]


def test_desk_report_that_is_too_old_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_report, "KEPT_S", 0.0)
    desk = ReportDesk()
    first = Asking(desk)
    polled(desk, example)
    second = Asking(desk)
    polled(desk, example)
    assert isinstance(second.over(), NodeReport)
    assert second.over() is not first.over()


def test_desk_gives_up_when_the_daemon_does_not_answer() -> None:
    with pytest.raises(TimeoutError, match="the daemon has not answered for 0 s"):
        ReportDesk().ask(0.01)


def test_desk_that_closes_lets_everybody_go() -> None:
    desk = ReportDesk()
    asking = Asking(desk)
    desk.close()
    assert isinstance(asking.over(), TimeoutError)
    with pytest.raises(TimeoutError, match="has ended"):
        desk.ask(30.0)
