"""Worker processes: the same answers in any number of them, errors as they were raised, and no process left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from calibrate.workers_here import WORTH_BYTES, WorkersHere, cores, worth
from edge.errors import AudioError, AuscultError

ROOT = Path(__file__).parents[2]


def counted(start: int, job: int) -> Iterator[tuple[int, int]]:
    for number in range(job):
        yield start + number, os.getpid()


def refused(job: int) -> Iterator[int]:
    yield job
    if job == 2:
        raise AudioError("c.wav", "is damaged")


def broken(job: int) -> Iterator[int]:
    yield job
    raise ValueError(f"of {job}")


def killed(job: int) -> Iterator[int]:
    yield job
    os.kill(os.getpid(), signal.SIGKILL)


def collected(items: Iterator[tuple[int, tuple[int, int]]], jobs: Sequence[int]) -> tuple[list[list[int]], set[int]]:
    """What each job yielded, and the processes that did."""
    found: list[list[int]] = [[] for _ in jobs]
    processes = set()
    for index, (number, process) in items:
        found[index].append(number)
        processes.add(process)
    return found, processes


def test_workers_give_what_this_process_gives_with_one_job_after_the_other_and_serve_again() -> None:
    jobs = [3, 0, 5, 1, 200, 2]
    here, _ = collected(WorkersHere().stream(partial(counted, 10), jobs), jobs)
    assert here == [list(range(10, 10 + job)) for job in jobs]
    with WorkersHere(2) as workers:
        there, processes = collected(workers.stream(partial(counted, 10), jobs, jobs), jobs)
        assert there == here
        assert len(processes) == 2
        assert os.getpid() not in processes
        again, known = collected(workers.stream(partial(counted, 0), jobs), jobs)
        assert again == [list(range(job)) for job in jobs]
        assert known <= processes  # no new ones
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_workers_single_job_is_done_here() -> None:
    with WorkersHere(2) as workers:
        assert list(workers.stream(partial(counted, 0), [1])) == [(0, (0, os.getpid()))]


def test_workers_errors_are_those_that_were_raised_there() -> None:
    with WorkersHere(2) as workers:
        with pytest.raises(AudioError, match=r"c\.wav: is damaged") as told:
            list(workers.stream(refused, [1, 2]))
        assert (told.value.subject, told.value.exit_code) == ("c.wav", 2)
        with pytest.raises(RuntimeError, match="ValueError: of "):
            list(workers.stream(broken, [1, 2]))
        with pytest.raises(AuscultError, match=r"worker processes: one has ended before its time.*--workers 1") as lost:
            list(workers.stream(killed, [1, 2]))
        assert lost.value.exit_code == 1
        assert sorted(workers.stream(refused, [3, 4])) == [(0, 3), (1, 4)]  # with new ones


def test_workers_end_with_a_process_that_is_killed() -> None:
    program = (
        "import sys, time; from tests.calibrate.test_workers_here import counted; from calibrate.workers_here import WorkersHere\n"
        "from functools import partial\n"
        "workers = WorkersHere(2); print(*{told[1] for _, told in workers.stream(partial(counted, 0), [50, 50])}, flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None
        processes = [int(process) for process in owner.stdout.readline().split()]
        watched = [os.pidfd_open(process) for process in processes]
        owner.kill()
    assert len(processes) == 2
    for descriptor in watched:
        assert select.select([descriptor], [], [], 20.0)[0], "a worker lives on"
        os.close(descriptor)


def test_worth_is_one_for_little_sound_and_no_more_than_there_are_recordings(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.wav", "b.wav", "missing.wav")]
    for path in paths[:2]:
        path.write_bytes(b"")
    assert worth(paths, 8) == 1
    os.truncate(paths[0], WORTH_BYTES)
    assert (worth(paths, 8), worth(paths, 2), worth(paths[:1], 8), worth(paths, 1)) == (3, 2, 1, 1)
    assert 1 <= cores() <= (os.cpu_count() or 1)
