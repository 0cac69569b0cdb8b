"""A separate thread writes the changes that commands make: no window waits for a slow card."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

LOG = logging.getLogger("auscult.remote")
CLOSE_S = 5.0  # for a disk that hangs when the daemon stops
INTERNAL_ERROR = "an internal error; the node's log has the details"

Problem = str | None
"""Why something could not be written, in one line; None when it was."""

Job = Callable[[], Problem]
Then = Callable[[Problem], None]

Write = Callable[[Job, Then], None]
"""Has a job done after those that came before it, and what follows from it (`Then`) in the worker's thread."""


def nobody(_problem: Problem) -> None:
    """A `Then` that ignores the result of a job."""


def at_once(job: Job, then: Then) -> None:
    """Do a job at once, without a writer."""
    then(job())


class BackgroundWriter:
    """Does one job after the other. All methods are for the worker's thread; only the jobs themselves run in the writer's own."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Job, Then] | None] = SimpleQueue()
        self._over: deque[tuple[Problem, Then]] = deque()
        self._left = 0  # jobs whose `then` was not called yet
        self._thread: threading.Thread | None = None  # from the first job on

    def write(self, job: Job, then: Then = nobody) -> None:
        """Have a job done; returns at once. `poll` calls `then`."""
        if self._thread is None:
            self._waiting = SimpleQueue()
            self._thread = threading.Thread(target=self._run, args=(self._waiting,), name="writer", daemon=True)
            self._thread.start()
        self._left += 1
        self._waiting.put((job, then))

    @property
    def is_busy(self) -> bool:
        """Whether a job is not over, or what follows from it has not been done."""
        return self._left > 0

    def poll(self) -> None:
        """Do what follows from the jobs that are over."""
        while self._over:
            problem, then = self._over.popleft()
            self._left -= 1
            try:
                then(problem)
            except Exception:  # whatever it is, scoring continues
                LOG.exception("a command could not be answered")

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Do what waits, and what follows from it; give up on a disk that hangs for `timeout_s`."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(timeout_s)
            if thread.is_alive():
                LOG.error("the disk does not answer: changes by the last commands may not be saved")
        self.poll()

    def _run(self, waiting: SimpleQueue[tuple[Job, Then] | None]) -> None:
        while (next_one := waiting.get()) is not None:
            job, then = next_one
            try:
                problem = job()
            except Exception:  # of whatever kind: somebody waits for the answer
                LOG.exception("the change that a command made could not be written")
                problem = INTERNAL_ERROR
            self._over.append((problem, then))
