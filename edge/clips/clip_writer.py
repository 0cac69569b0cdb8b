"""A separate thread writes the clips, so that no source waits for a slow SD card."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.clips.clip import Clip
from edge.clips.clip_folder import ClipFolder

LOG = logging.getLogger("auscult.clips")
MOST_WAITING_BYTES = 64 << 20  # of samples; a disk that is slower than that loses clips
MOST_WAITING = 100
TIDY_EVERY_S = 3600.0

OnDone = Callable[[str | None], None]
"""Called in the writer's thread with None, or one line that says why there is no file."""


@dataclass(frozen=True, slots=True)
class ClipReport:
    """The part of `health` about clips; counters count from the start of the daemon."""

    written: int = 0
    failed: int = 0
    deleted: int = 0  # because they were too old or too many
    stored_bytes: int = 0
    problem: str | None = None  # why the last one could not be written


def _nobody(_problem: str | None) -> None:
    return None


class ClipWriter:
    """A disk that is full or fails costs clips, which are counted, and one line in the log, and nothing else."""

    def __init__(self, folder: ClipFolder) -> None:
        self.folder = folder
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Clip, OnDone]] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._written = self._failed = self._deleted = self._stored_bytes = 0
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, clip: Clip, on_done: OnDone = _nobody) -> bool:
        """Have a clip written; returns at once, False when so much waits that it is given up (`on_done` is called then too)."""
        size = 4 * sum(len(part) for part in clip.parts if not isinstance(part, int))
        with self._changed:
            is_taken = len(self._waiting) < MOST_WAITING and (size == 0 or self._waiting_bytes + size <= MOST_WAITING_BYTES)
            if is_taken and not self._closing:
                self._waiting.append((clip, on_done))
                self._waiting_bytes += size
                self._changed.notify()
                return True
        problem = "the node stops" if self._closing else f"{self.folder.path}: the disk is too slow for the clips"
        self._count(problem)
        on_done(problem)
        return False

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits; give up on a disk that hangs for `timeout_s`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def report(self) -> ClipReport:
        """Counters and trouble."""
        return ClipReport(self._written, self._failed, self._deleted, self._stored_bytes, self._problem)

    def _run(self) -> None:
        self._clear()
        self._tidy()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing, TIDY_EVERY_S)
                job = self._waiting.popleft() if self._waiting else None
                if job is None and self._closing:
                    return
            if job is not None:
                self._write(*job)
            self._tidy()

    def _write(self, clip: Clip, on_done: OnDone) -> None:
        problem: str | None = None
        try:
            self.folder.write(clip)
        except Exception as error:  # of whatever kind: without this thread no clip would be written any more
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            problem = f"{self.folder.path}: {clip.name} cannot be written ({reason})"
        with self._changed:
            self._waiting_bytes -= 4 * sum(len(part) for part in clip.parts if not isinstance(part, int))
        if problem is not None:
            self._count(problem)
        elif clip.parts:
            self._written += 1
            self._problem = None
        on_done(problem)

    def _count(self, problem: str) -> None:
        """One line when it begins, not one for each clip."""
        self._failed += 1
        level = logging.DEBUG if self._problem is not None else logging.ERROR
        self._problem = problem
        LOG.log(level, "%s; scores and events go on", problem)

    def _clear(self) -> None:
        try:
            cleared = self.folder.clear()
        except OSError as error:
            LOG.debug("%s: cannot be cleared (%s)", self.folder.path, error)
            return
        if cleared:
            LOG.info("%s: deleted %d files that an earlier run did not finish", self.folder.path, cleared)

    def _tidy(self) -> None:
        try:
            deleted, self._stored_bytes = self.folder.tidy()
        except OSError as error:
            LOG.debug("%s: cannot be tidied (%s)", self.folder.path, error)
            return
        self._deleted += deleted
        if deleted:
            LOG.info("%s: deleted %d old clips", self.folder.path, deleted)
