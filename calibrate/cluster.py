"""Many jobs of one kind: here, one after another, or on the workers of a Dask cluster; the results are the same, bit for bit.

    run_each(function, jobs)                                  in this process
    run_each(function, jobs, "local")                         worker processes of this computer, one for each core
    run_each(function, jobs, "tcp://192.168.1.20:8786")       the workers that a scheduler knows (tls:// with Dask's own configuration)

A job whose worker dies is done again by another worker. Dask is imported only when a cluster is named (extra `[cluster]`).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, TextIO, TypeVar

import edge.threads  # noqa: F401  # before numpy: a BLAS with more threads adds up in another order
from calibrate.workers import connected, import_distributed
from edge.console.cli import EXTRAS
from edge.console.output import printable
from edge.console.progress import Progress
from edge.errors import AuscultError, UserError

CLEAR = "\r\x1b[K"  # of a line on a terminal
POLL_S = 0.05
LOOK_S = 5.0  # between looks whether there are workers; when there are none twice, it is told
_ONE_AT_A_TIME = threading.Lock()  # libraries have a state of their own, such as torch's seed

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job has no result."""

    problem: str  # one line
    exit_code: int  # 2: a mistake of the user's, 1: anything else


def run_each(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    cluster: str | None = None,
    *,
    label: str = "",
    check: Callable[[], str | None] | None = None,
) -> Generator[tuple[int, Result | Failure], None, None]:
    """Call `function` for each job; what one of them raises does not stop the others.

    Parameters
    ----------
    function
        A module's function, or a `functools.partial` of one, with picklable arguments and results. On a cluster it may be called twice for
        a job, even at once, when a worker dies or seems to: what it writes must be its own.
    cluster
        None, "local" or the address of a scheduler.
    label
        Before the progress bar.
    check
        Called once on every worker of a scheduler before the first job; what it says is wrong there stops everything.

    Yields
    ------
    The job's number and its result, or why there is none, in the order in which they are done. Closing the iterator, which Ctrl-C does,
    takes back what has not begun and ends the worker processes of "local".

    Raises
    ------
    UserError
        Before any job: a name that is no cluster, a scheduler that does not answer or has no workers, a worker that has another version
        of a library or that fails `check`, or Dask is not installed.
    AuscultError
        The scheduler is gone.
    """
    if not jobs:
        return
    with Progress(label, len(jobs)) as bar:
        tick = functools.partial(bar.update, 0.0)  # the clock of the bar runs while a cluster works
        with contextlib.closing(_here(function, jobs) if cluster is None else _there(function, jobs, cluster, check, tick)) as work:
            for done in work:
                yield done
                bar.update()


def say(line: str) -> None:
    """A line on stderr, in the place of the progress bar if there is one; it is drawn again below."""
    print(f"{CLEAR if sys.stderr.isatty() else ''}auscult: {printable(line)}", file=sys.stderr, flush=True)


def _here(function: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[tuple[int, Result | Failure], None, None]:
    for index, job in enumerate(jobs):
        yield index, _attempt(function, job)


def _there(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    cluster: str,
    check: Callable[[], str | None] | None,
    tick: Callable[[], None],
) -> Generator[tuple[int, Result | Failure], None, None]:
    with connected(cluster, len(jobs), check) as client:
        # A pure function's result would be taken from an earlier run, and tell of recordings that have changed since.
        futures = client.map(functools.partial(_work, function), jobs, pure=False)
        index_of = {future.key: index for index, future in enumerate(futures)}
        try:
            for future in _as_done(client, futures, cluster, tick):
                yield index_of[future.key], _outcome(future, cluster)
                future.release()  # the worker may forget the result
        finally:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                client.cancel([future for future in futures if not future.done()], force=True)


def _as_done(client: Any, futures: Sequence[Any], cluster: str, tick: Callable[[], None]) -> Iterator[Any]:
    """The futures as they are done; it is told, once, when nobody is left to work on them."""
    waiting = import_distributed().as_completed(futures)
    looked_s, alone = time.monotonic(), 0
    while waiting.count():
        if waiting.has_ready():
            yield from waiting.next_batch(block=False)
            continue
        tick()
        time.sleep(POLL_S)
        if time.monotonic() - looked_s > LOOK_S:
            with contextlib.suppress(OSError):  # the scheduler is out of reach: the futures will tell
                alone = 0 if client.nthreads() else alone + 1
            looked_s = time.monotonic()
            if alone == 2:
                say(f"{cluster}: no worker is left; waiting for one to come (Ctrl-C stops)")


def _outcome(future: Any, cluster: str) -> Any:
    """What a job gave, or how its worker failed."""
    try:
        return future.result()
    except CancelledError as error:
        problem = "the scheduler is gone, or took the work back; what is finished is kept, run again for the rest"
        raise AuscultError(cluster, problem) from error
    except Exception as error:  # of Dask: those of the function are among its results
        if type(error).__name__ == "KilledWorker":
            return Failure("every worker that tried it died, as they do without enough memory; run it without --cluster", 1)
        return Failure(f"{type(error).__name__}: {' '.join(str(error).split())}", 1)


def _work(function: Callable[[Job], Result], job: Job) -> Result | Failure:
    """On a worker: as `_here`, one job at a time with one thread, however it was started, and without a progress bar of its own."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr = _NoTerminal(sys.stderr)  # for good: other workers write to that terminal too
    with _ONE_AT_A_TIME, importlib.import_module("threadpoolctl").threadpool_limits(1):
        return _attempt(function, job)


class _NoTerminal:
    """A stream like another, on which nobody draws."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        """It is none."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _attempt(function: Callable[[Job], Result], job: Job) -> Result | Failure:
    """Call it; what it raises becomes data, as the front door would tell it."""
    try:
        return function(job)
    except AuscultError as error:
        return Failure(str(error), error.exit_code)
    except Exception as error:
        if _is_interrupt(error):
            raise KeyboardInterrupt from error
        if os.environ.get("AUSCULT_DEBUG"):
            traceback.print_exception(error)
        if isinstance(error, ModuleNotFoundError) and (extra := EXTRAS.get((error.name or "").partition(".")[0])):
            return Failure(f"this needs the package {error.name}; install it with: pip install 'auscult[{extra}]'", UserError.exit_code)
        if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
            return Failure(f"{error.filename}: {error.strerror}", AuscultError.exit_code)
        return Failure(f"internal error: {type(error).__name__}: {' '.join(str(error).split())}", AuscultError.exit_code)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it came of Ctrl-C: a library that is interrupted while it is loaded turns that into an ImportError."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _is_interrupt(error.__cause__ or error.__context__))
