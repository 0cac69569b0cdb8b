"""The disk side of the outbox: saves what is in the queue, and goes on without the disk while that fails."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from edge.errors import OutboxError
from edge.ledger import Ledger, is_damage, open_ledger
from edge.outbox_queue import READ_AHEAD, OutboxQueue

LOG = logging.getLogger("auscult.outbox")
FORGET_DELAY_S = 15.0  # acknowledgements are written together, or with the next message
RETRY_S = 30.0  # between tries to use a disk that failed
JUMP = 1_000_000  # more messages than a source has while the disk fails, if the clock says nothing of use


class OutboxDisk:
    """One file, and what is known of its trouble. Used by one thread at a time, but for `problem`, `first_seq` and `now_s`."""

    def __init__(self, path: Path, queue: OutboxQueue, clock: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        self.path = path
        self.problem: str | None = None  # why messages are not saved
        self.first_seq = 1  # of sources that the file does not know, and least for those that it knows
        self.ledger: Ledger | None = None
        self._queue = queue
        self._clock = clock
        self._wall = wall
        self._origin_s = -clock()  # the outbox's clock less the monotonic one
        self._ledger_id = ""
        self._retry_at_s = 0.0
        self._has_left_mark = False  # in this run
        self._done_since_s: float | None = None

    def open(self) -> None:
        """Open the file; raises OutboxError when it cannot be ours."""
        try:
            self._open_ledger()
        except (OSError, sqlite3.Error) as error:
            if self.ledger is None:
                self.first_seq = int(self._wall())  # nobody knows how far the sources have counted
            self.fall_back(error)

    @property
    def may_write(self) -> bool:
        """Whether the disk works, or it is time to try again."""
        return self.problem is None or self._clock() >= self._retry_at_s

    def now_s(self) -> float:
        """The outbox's clock: it counts on from the last message in the file."""
        return self._origin_s + self._clock()

    def save(self, *, everything: bool = False) -> None:
        """Save what came and forget what arrived; `everything` also forgets at once, and tries a disk that has just failed."""
        if not (everything or self.may_write):
            return
        try:
            self._save(everything)
        except (OSError, sqlite3.Error, OutboxError) as error:
            self.fall_back(error)

    def read_ahead(self) -> None:
        """Get ready what waits in the file; raises sqlite3.Error."""
        while self.ledger is not None and self._queue.wants_more:
            entries = self.ledger.read(self._queue.last_read, READ_AHEAD)
            self._queue.extend(entries, at_end=len(entries) < READ_AHEAD)

    def _open_ledger(self) -> Ledger:
        """Open the file for the first time, or again after the disk has failed."""
        self.ledger = ledger = open_ledger(self.path, self._wall)
        if ledger.id == self._ledger_id:
            self._queue.reattach(ledger.waiting_numbers())
            return ledger
        origin_s = max(self._origin_s, ledger.last_entered_s - self._clock())
        self._queue.attach(ledger, origin_s - self._origin_s)
        self._origin_s = origin_s
        self._ledger_id = ledger.id
        self.first_seq = max(self.first_seq, ledger.first_seq)
        if _mark(self.path).exists() and not self._has_left_mark:
            known = max((last.seq for last in ledger.latest), default=0)
            self.first_seq = max(int(self._wall()), self.first_seq + JUMP, known + JUMP)
            LOG.warning("%s: an earlier run published messages that it could not save; seq goes on from %d", self.path, self.first_seq)
        ledger.raise_first_seq(self.first_seq)
        _mark(self.path).unlink(missing_ok=True)
        return ledger

    def _save(self, everything: bool) -> None:
        """One transaction with all that is new; what was only delivered waits for company."""
        if self.problem is not None and not _is_full(self.problem):
            self.close()  # the card may be back, as another device
        ledger = self.ledger or self._open_ledger()
        if self.problem is not None:
            ledger.probe()
        entries, done = self._queue.unwritten()
        if done and self._done_since_s is None:
            self._done_since_s = self._clock()
        is_due = everything or (self._done_since_s is not None and self._clock() - self._done_since_s >= FORGET_DELAY_S)
        if entries or (done and is_due):
            ledger.write(entries, done)
            self._queue.written(entries, done)
            self._done_since_s = None
        if self.problem is not None:
            ledger.raise_first_seq(self.first_seq)
            _mark(self.path).unlink(missing_ok=True)
            self.problem = None
            LOG.warning("%s: works again; event messages are saved", self.path)

    def fall_back(self, error: Exception, *, readable: bool = True) -> None:
        """The disk does not take messages: go on from memory, and try again later."""
        problem = str(error.strerror if isinstance(error, OSError) else error) or type(error).__name__
        if is_damage(error) or not readable:
            self.close()
        if self.problem is None:
            LOG.error("%s: cannot be written (%s); event messages are in memory only until it can", self.path, problem)
        self.problem = problem
        self._retry_at_s = self._clock() + RETRY_S
        with contextlib.suppress(OSError):  # an empty file fits on a full disk
            _mark(self.path).touch()
            self._has_left_mark = True

    def close(self) -> None:
        """Close the file."""
        if self.ledger is not None:
            with contextlib.suppress(sqlite3.Error):
                self.ledger.close()
            self.ledger = None


def _is_full(problem: str) -> bool:
    return "full" in problem


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.behind")
