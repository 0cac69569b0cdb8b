from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from edge.remote.scribe import Problem, Scribe


def poll_until(scribe: Scribe, is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20.0
    while not is_so():
        assert time.monotonic() < deadline_s
        scribe.poll()


def test_scribe_jobs_are_done_in_order_elsewhere_and_what_follows_is_done_here() -> None:
    scribe = Scribe()
    threads: list[threading.Thread] = []
    told: list[tuple[int, Problem, bool]] = []

    def job(number: int) -> Callable[[], Problem]:
        def work() -> Problem:
            threads.append(threading.current_thread())
            return f"no room for {number}" if number % 2 else None

        return work

    def then(number: int) -> Callable[[Problem], None]:
        return lambda problem: told.append((number, problem, threading.current_thread() is threading.main_thread()))

    for number in range(20):
        scribe.write(job(number), then(number))
    assert scribe.is_busy
    assert told == []  # before anybody polls
    poll_until(scribe, lambda: not scribe.is_busy)
    assert told == [(number, f"no room for {number}" if number % 2 else None, True) for number in range(20)]
    assert len(set(threads)) == 1
    assert threads[0] is not threading.main_thread()
    scribe.close()
    assert not threads[0].is_alive()


def test_scribe_job_or_answer_that_breaks_is_told_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    scribe = Scribe()
    told: list[Problem] = []

    def broken(_problem: Problem) -> None:
        raise ZeroDivisionError

    scribe.write(lambda: str(1 // 0), told.append)
    scribe.write(lambda: None, broken)
    scribe.write(lambda: None, told.append)
    scribe.close()
    assert told == ["an internal error; the node's log has the details", None]
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR", "ERROR"]


def test_scribe_disk_that_hangs_is_given_up_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    scribe = Scribe()
    answers = threading.Event()
    told: list[Problem] = []
    scribe.write(lambda: None if answers.wait(30.0) else "late", told.append)
    with caplog.at_level(logging.ERROR):
        scribe.close(0.01)
    assert (told, scribe.is_busy) == ([], True)
    assert "the disk does not answer" in caplog.text
    answers.set()
    poll_until(scribe, lambda: not scribe.is_busy)
    assert told == [None]
