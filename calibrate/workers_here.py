"""Worker processes of this computer, for the recordings of one machine: what a function makes of each, on all cores.

The workers end with their connection: by `close`, and with this process, whatever ends it. A Ctrl-C is for this process only.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from calibrate.worker_process import DONE, FAILED, FUNCTION, ITEM, JOB, REFUSED
from edge.errors import AuscultError

WORTH_BYTES = 16 << 20  # of audio files: less is done here before workers have started
# `-m` would look for our modules in the working folder first, whatever lies there; only `sys` is built in.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from calibrate.worker_process import serve; serve({descriptor})"

Job = TypeVar("Job")
Item = TypeVar("Item")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth(paths: Sequence[Path], wanted: int) -> int:
    """How many workers recordings are worth: one for each at most, and 1, which is none but this process, for little sound."""
    size = 0
    for path in paths:
        with contextlib.suppress(OSError):  # whoever reads it will say so
            size += path.stat().st_size
    return max(1, min(wanted, len(paths))) if size >= WORTH_BYTES else 1


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection[Any, Any]
    job: int = -1


class WorkersHere:
    """So many workers, started when they are first needed; one is this process itself.

    >>> with WorkersHere(2) as workers:
    ...     for index, item in workers.stream(function, jobs):
    ...         ...
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._workers: list[_Worker] = []

    def __enter__(self) -> WorkersHere:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End them, whatever they are at."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.kill()
            worker.process.wait()
        self._workers = []

    def stream(
        self, function: Callable[[Job], Iterator[Item]], jobs: Sequence[Job], weights: Sequence[float] | None = None
    ) -> Iterator[tuple[int, Item]]:
        """Yield the number of a job and what `function` yielded for it: of each job in its order, of several mixed.

        Parameters
        ----------
        function : what can be pickled, and so can the jobs and what it yields.
        weights : of the jobs; the heaviest are begun first.

        Raises
        ------
        AuscultError : what the function raised, or a worker is gone.
        """
        if self.count == 1 or len(jobs) < 2:
            for index, job in enumerate(jobs):
                for item in function(job):
                    yield index, item
            return
        waiting = sorted(range(len(jobs)), key=lambda index: weights[index] if weights else 0.0)
        if not weights:
            waiting.reverse()
        while len(self._workers) < min(self.count, len(jobs)):
            self._workers.append(_started())
        busy: dict[Any, _Worker] = {}
        try:
            for worker in self._workers[: len(jobs)]:
                worker.connection.send((FUNCTION, function))
                busy[worker.connection] = worker
                _begin(worker, jobs, waiting)
            while busy:
                for ready in wait(list(busy)):
                    worker = busy[ready]
                    kind, told = worker.connection.recv()
                    if kind == ITEM:
                        yield worker.job, told
                    elif kind == DONE and waiting:
                        _begin(worker, jobs, waiting)
                    elif kind == DONE:
                        del busy[ready]
                    else:
                        _raise(kind, told)
        except (EOFError, OSError) as error:
            problem = "one has ended before its time, as they do without enough memory; run it again with --workers 1"
            raise AuscultError("worker processes", problem) from error
        finally:
            if busy:  # they are in the middle of something that nobody waits for any more
                self.close()


def _begin(worker: _Worker, jobs: Sequence[Any], waiting: list[int]) -> None:
    worker.job = waiting.pop()
    worker.connection.send((JOB, jobs[worker.job]))


def _raise(kind: str, told: Any) -> None:
    if kind == REFUSED:
        error, subject, problem = told
        raise error(subject, problem)
    assert kind == FAILED
    raise RuntimeError(told)


def _started() -> _Worker:
    ours, theirs = socket.socketpair()
    with theirs:
        path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  # entries need not be paths of files
        program = _PROGRAM.format(path=path, descriptor=theirs.fileno())
        command = [sys.executable, "-c", program]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True)
    return _Worker(process, Connection(ours.detach()))
