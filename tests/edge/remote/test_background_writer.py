from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from edge.remote.background_writer import BackgroundWriter, Problem


def poll_until(writer: BackgroundWriter, is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20.0
    while not is_so():
        assert time.monotonic() < deadline_s
        writer.poll()


def test_background_writer_jobs_are_done_in_order_elsewhere_and_what_follows_is_done_here() -> None:
    writer = BackgroundWriter()
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
        writer.write(job(number), then(number))
    assert writer.is_busy
    assert told == []  # before anybody polls
    poll_until(writer, lambda: not writer.is_busy)
    assert told == [(number, f"no room for {number}" if number % 2 else None, True) for number in range(20)]
    assert len(set(threads)) == 1
    assert threads[0] is not threading.main_thread()
    writer.close()
    assert not threads[0].is_alive()


def test_background_writer_job_or_answer_that_breaks_is_reported_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    writer = BackgroundWriter()
    told: list[Problem] = []

    def broken(_problem: Problem) -> None:
        raise ZeroDivisionError

    writer.write(lambda: str(1 // 0), told.append)
    writer.write(lambda: None, broken)
    writer.write(lambda: None, told.append)
    writer.close()
    assert told == ["an internal error; the node's log has the details", None]
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR", "ERROR"]


def test_background_writer_disk_that_hangs_is_given_up_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    writer = BackgroundWriter()
    answers = threading.Event()
    told: list[Problem] = []
    writer.write(lambda: None if answers.wait(30.0) else "late", told.append)
    with caplog.at_level(logging.ERROR):
        writer.close(0.01)
    assert (told, writer.is_busy) == ([], True)
    assert "the disk does not answer" in caplog.text
    answers.set()
    poll_until(writer, lambda: not writer.is_busy)
    assert told == [None]
