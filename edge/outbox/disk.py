"""The disk side of the outbox: saves the queue, and continues in memory while the disk fails."""

from __future__ import annotations

import contextlib
import errno
import logging
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from edge.errors import OutboxError
from edge.outbox.entry import Entry
from edge.outbox.epoch import Epoch
from edge.outbox.high_water import HighWater, HighWaterMarks
from edge.outbox.ledger import Ledger
from edge.outbox.ledger_file import is_damage, open_ledger
from edge.outbox.queue import READ_AHEAD, OutboxQueue

LOG = logging.getLogger("auscult.outbox")
FORGET_DELAY_S = 15.0  # acknowledgements are written together, or with the next message
RETRY_S = 30.0  # between tries to use a disk that failed
READ_ONLY = "read-only: the file system accepts no writes any more"


class OutboxDisk:
    """One file with its marks, and what is known of its trouble. Used by one thread at a time, but for `problem`, `epoch` and `now_s`."""

    def __init__(
        self, path: Path, queue: OutboxQueue, marks: HighWaterMarks, clock: Callable[[], float], wall: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self.problem: str | None = None  # why messages are not saved
        self.ledger: Ledger | None = None
        self.epoch: Epoch | None = None  # set by `open`
        self._queue = queue
        self._clock = clock
        self._wall = wall
        self._marks = marks
        self._known: HighWater | None = None  # what the runs before had counted, until a file was held against it
        self._ledger_id = ""
        self._number = 0  # of the last message that is counted in a mark
        self._seqs: dict[str, int] = {}  # of each source, the same
        self._waiting = 0  # the same
        self.is_overtaking = False  # what waits in the file cannot be read, and new messages have an epoch of their own
        self._origin_s = -clock()  # the outbox's clock less the monotonic one
        self._retry_at_s = 0.0
        self._done_since_s: float | None = None

    def open(self) -> None:
        """Open the file, and find out where to count on; raises OutboxError when it cannot be ours."""
        self._known = self._marks.read()
        try:
            self._open_ledger()
        except (OSError, sqlite3.Error) as error:
            if self.epoch is None:
                self.epoch = self._new_epoch("the outbox could not be read")
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

    def mark_unsaved(self) -> int:
        """The disk does not work: count what came in the marks that do, and return the number up to which messages may go out unsaved."""
        if self.ledger is None and self._queue.on_disk and not self.is_overtaking and self.epoch is not None:
            with self._queue.changed:
                seqs = [entry.seq for entry in self._queue.last_of_all()]
                self.epoch = self._new_epoch("the messages in the outbox cannot be read any more", seqs)
                self._queue.renumber(self.epoch)
            self.is_overtaking = True
        entries, _ = self._queue.unwritten()
        newest = max((entry.number for entry in entries), default=0)
        if newest > self._number or self._queue.depth < self._waiting:
            with contextlib.suppress(OSError):  # a card that is read-only; the mark in memory has it
                self._mark(entries)
        return newest

    def read_ahead(self) -> None:
        """Get ready what waits in the file; raises sqlite3.Error."""
        while self.ledger is not None and self._queue.wants_more:
            entries = self.ledger.read(self._queue.last_read, READ_AHEAD)
            self._queue.extend(entries, at_end=len(entries) < READ_AHEAD)

    def fall_back(self, error: Exception, *, readable: bool = True) -> None:
        """The disk does not accept messages: continue in memory, and try again later."""
        problem = self._described(error)
        if is_damage(error) or not readable:
            self.close()
        if self.problem is None:
            LOG.error("%s: cannot be written (%s); event messages are in memory only until it can", self.path, problem)
        self.problem = problem
        self._retry_at_s = self._clock() + RETRY_S

    def close(self) -> None:
        """Close the file."""
        if self.ledger is not None:
            with contextlib.suppress(sqlite3.Error):
                self.ledger.close()
            self.ledger = None

    def _save(self, everything: bool) -> None:
        """One transaction with all that is new; what was only delivered waits for company."""
        if self.problem is not None and not _is_full(self.problem):
            _check_writable(self.path.parent)  # else what waits can perhaps still be read from the file that is open
            self.close()  # the card may be back, as another device
        ledger = self.ledger or self._open_ledger()
        if self.problem is not None and self.epoch is not None:
            ledger.begin(self.epoch)
        entries, done = self._queue.unwritten()
        if done and self._done_since_s is None:
            self._done_since_s = self._clock()
        is_due = everything or (self._done_since_s is not None and self._clock() - self._done_since_s >= FORGET_DELAY_S)
        if entries or (done and is_due):
            ledger.write(entries, done)
            try:
                self._mark(entries)
            finally:
                self._queue.written(entries, done)
                self._done_since_s = None
        if self.problem is not None:
            self.problem = None
            LOG.warning("%s: works again; event messages are saved", self.path)

    def _open_ledger(self) -> Ledger:
        """Open the file for the first time, or again after the disk has failed."""
        self.ledger = ledger = open_ledger(self.path)
        self.is_overtaking = False
        self._tell_lost(ledger.lost, "were damaged")
        if ledger.id == self._ledger_id:
            self._queue.reattach(ledger.waiting_numbers())
            return ledger
        origin_s = max(self._origin_s, ledger.last_entered_s - self._clock())
        self._queue.attach(ledger, origin_s - self._origin_s)
        self._origin_s = origin_s
        self._ledger_id = ledger.id
        known, self._known = self._known, None
        if known is not None:
            missing = max(0, known.number - ledger.last_number) if known.ledger == ledger.id else known.waiting
            self._tell_lost(min(known.waiting, missing), "that waited are gone")
        if self.epoch is None:
            self.epoch = self._continued(ledger, known)
        self._number = ledger.last_number
        self._seqs.update({last.source: max(last.seq, self._seqs.get(last.source, 0)) for last in ledger.latest})
        try:
            ledger.begin(self.epoch)
        finally:
            self._mark(())  # what is lost is counted once
        return ledger

    def _continued(self, ledger: Ledger, known: HighWater | None) -> Epoch:
        """Return the file's epoch if everything says that it holds all that was ever published, else a new one."""
        marks_are_damaged = self._marks.are_damaged
        if marks_are_damaged:
            LOG.error("%s: a mark beside it (high-water) is damaged; it is written again", self.path)
        if known is None:
            reason = "no mark says how far the outbox has counted" if ledger.last_number else "a new outbox"
        elif ledger.epoch is None:
            reason = "the outbox was gone or damaged"
        elif (known.ledger, known.epoch) != (ledger.id, ledger.epoch.id):
            reason = "the outbox is not the one that was in use"
        elif _lacks(ledger, known):
            reason = "the outbox lacks messages that were published"
        elif known.path != str(self.path.absolute()):
            reason = "the outbox was moved or copied"
        elif not self._marks.is_certain(known):
            reason = "the marks are damaged or old" if marks_are_damaged else "the system was restarted"
        else:
            return ledger.epoch
        seqs = [last.seq for last in ledger.latest]
        return self._new_epoch(reason, [*seqs, *(known.seq.values() if known else ())])

    def _new_epoch(self, reason: str, known_seqs: Iterable[int] = ()) -> Epoch:
        seqs = [*known_seqs, *(self._known.seq.values() if self._known is not None else ())]
        epoch = Epoch.begin(self._wall(), seqs, reason)
        LOG.log(logging.WARNING if seqs else logging.DEBUG, "%s: %s; seq continues from %d", self.path, reason, epoch.first_seq)
        return epoch

    def _mark(self, entries: Iterable[Entry]) -> None:
        """Count `entries` in a mark; raises OSError when the card does not take it."""
        for entry in entries:
            self._number = max(self._number, entry.number)
            self._seqs[entry.source] = max(entry.seq, self._seqs.get(entry.source, 0))
        if self.epoch is not None:
            known = self._known  # what the last run had counted, as long as no file was held against it
            self._waiting = self._queue.depth
            self._marks.write(
                self._ledger_id or (known.ledger if known is not None else self.epoch.id),
                self.epoch.id,
                self._number + (known.number if known is not None else 0),
                self._waiting + (known.waiting if known is not None else 0),
                self._seqs,
            )

    def _tell_lost(self, lost: int, how: str) -> None:
        if lost:
            self._queue.dropped += lost
            LOG.error("%s: %d event messages %s; they will not be delivered (%d dropped so far)", self.path, lost, how, self._queue.dropped)

    def _described(self, error: Exception) -> str:
        try:
            _check_writable(self.path.parent)
        except (
            OSError
        ) as refused:  # SQLite says no more than that there was an error, and ext4 does not show in statvfs that it has given up
            if refused.errno == errno.EROFS:
                return READ_ONLY
        if not isinstance(error, OSError):
            return str(error) or type(error).__name__
        of_another = error.filename is not None and Path(error.filename) != self.path
        return f"{error.filename}: {error.strerror}" if of_another else str(error.strerror or error)


def _check_writable(folder: Path) -> None:
    """Raise OSError when nothing can be written into a folder."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def _lacks(ledger: Ledger, known: HighWater) -> bool:
    latest = {last.source: last.seq for last in ledger.latest}
    return known.number > ledger.last_number or any(seq > latest.get(source, 0) for source, seq in known.seq.items())


def _is_full(problem: str) -> bool:
    return "full" in problem
