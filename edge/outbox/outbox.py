"""Event messages on their way to the broker: saved before they are published, deleted when they are acknowledged."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.message import Message
from edge.outbox.disk import FORGET_DELAY_S, OutboxDisk
from edge.outbox.entry import Entry, renumbered
from edge.outbox.epoch import Epoch
from edge.outbox.high_water import HighWaterMarks
from edge.outbox.limits import CAPACITY_BYTES, KEEP_S, OutboxLimits
from edge.outbox.queue import READ_AHEAD, OutboxQueue


@dataclass(frozen=True, slots=True)
class OutboxReport:
    """The part of `health` about the outbox. Counters count from the start of the daemon."""

    depth: int = 0
    oldest_age_s: float | None = None
    dropped: int = 0  # for every reason: no room, too old, refused by the broker, lost with a damaged file
    expired: int = 0  # of these, too old
    refused: int = 0  # of these, refused by the broker
    waiting_bytes: int = 0
    durable: bool = False  # what waits survives the process
    problem: str | None = None  # why not
    epoch: str = ""  # within which `seq` is counted
    epoch_reason: str = ""  # why it began


class Outbox:
    """A queue that a crash, a power cut and a broker's absence do not empty.

    A message is on disk before `take` hands it out. It is written by a thread of the outbox's own: neither the audio nor the connection
    waits for a slow SD card. What comes while one write is under way goes into the next, and acknowledgements go with the next message or
    after 15 s. While nothing happens, nothing is written. (tests/edge/outbox/test_outbox_wear.py measures how much is.)

    When the disk is full or fails, messages go on from memory, at most `MEMORY_BYTES` of them, and are saved when it works again; while
    the file cannot even be read they overtake those in it, in an epoch of their own.

    No `seq` is given twice, whatever happens to the files: marks kept apart from the outbox say how far it has counted (`HighWaterMarks`),
    and where they and the file do not agree, or cannot be believed, a new `Epoch` begins. What is lost with a file is counted by them.

    Ages count while a daemon runs, by the monotonic clock: setting the clock, or a year in a drawer, expires nothing.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        capacity_bytes: int = CAPACITY_BYTES,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        memory: Path | None = None,
    ) -> None:
        """Without a `path` it is in memory only. What is beyond `capacity_bytes` or older than `keep_s` is dropped and counted.

        `memory` is a folder that outlives the daemon and not the system, in place of the system's own (see `HighWaterMarks`).
        """
        self.path = path
        self.on_ready: Callable[[], None] = lambda: None  # called in the outbox's thread when there may be something to take
        self._clock = clock
        self._queue = OutboxQueue()
        self._limits = OutboxLimits(self._queue, capacity_bytes, keep_s, clock)
        self._disk = None if path is None else OutboxDisk(path, self._queue, HighWaterMarks(path, memory), clock, wall)
        self._epoch = Epoch.begin(wall(), (), "the outbox is in memory only")  # until a file is open
        self._thread: threading.Thread | None = None
        self._is_open = self._closing = False
        self._refused = 0

    def open(self, *, own_thread: bool = True) -> None:
        """Open the file. A disk failure appears in `report` and is not raised. Without `own_thread` the caller has to call `work`.

        Raises
        ------
        OutboxError
            when another daemon uses the file, or it is a folder.
        """
        if self._disk is None:
            return
        self._disk.open()
        self._is_open = True
        if own_thread:
            self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
            self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is not written yet and close the file; give up on a disk that hangs for `timeout_s`."""
        if not self._is_open:  # perhaps because the file is another daemon's
            return
        with self._queue.changed:
            self._closing = True
            self._queue.changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return
        else:
            self.work()
        if self._disk is not None:
            self._disk.close()
        self._is_open = False

    def next_seq(self, source: str) -> int:
        """The `seq` of the source's next message: above all that were ever given."""
        last = self._queue.last(source)
        return max(self.epoch.first_seq, 0 if last is None else last.seq + 1)

    @property
    def epoch(self) -> Epoch:
        """Within which `seq` is counted; while the outbox is open another one begins only when the file cannot be read any more."""
        return self._epoch if self._disk is None or self._disk.epoch is None else self._disk.epoch

    def open_events(self) -> list[Entry]:
        """Return the last message of each event that was opened and not closed yet; right after `open`, by a run that was killed."""
        return [entry for entry in self._queue.last_of_all() if not entry.closes]

    def put(
        self,
        message: Message,
        source: str,
        seq: int,
        *,
        closes: bool,
        fresh: bool = False,
        kept: Callable[[], None] | None = None,
    ) -> None:
        """Take a message. `closes`: the last one of its event. `fresh`: there is a connection over which it can be sent at once.

        `kept` is called in the outbox's thread once a crash cannot take the message any more (or, while the disk fails, once it may be
        sent from memory): what is told of it before, in a log say, may never have happened as far as everybody else is concerned.
        """
        with self._queue.changed:
            if self._disk is not None and self._disk.is_overtaking and seq < self.epoch.first_seq:  # which has begun since it was made
                seq = self.next_seq(source)
                message = renumbered(message, self.epoch.id, seq)
            self._queue.put(Entry(0, source, seq, closes, self._now_s(), message, fresh, kept=kept))
        if self.path is None:
            self.work()

    def peek(self) -> Entry | None:
        """Return what `take` would return."""
        return self._queue.peek()

    def take(self) -> Entry | None:
        """Return the next message to send, which is in flight from now on; None when none is ready."""
        return self._queue.take()

    def acknowledge(self, entry: Entry, *, refused: bool = False) -> None:
        """Delete a message that arrived, or that the broker will never accept (counted as dropped)."""
        if self._queue.acknowledge(entry) and refused:
            self._queue.dropped += 1
            self._refused += 1

    def release(self) -> None:
        """Put everything in flight back in its place: the connection is lost, and it is unknown what arrived."""
        self._queue.release()

    @property
    def is_durable(self) -> bool:
        """Whether what waits survives the process."""
        return self._disk is not None and self._disk.problem is None

    @property
    def is_working(self) -> bool:
        """False when its thread has died; a disk that fails is no reason for that."""
        return self._thread is None or self._thread.is_alive() or self._closing

    @property
    def has_room(self) -> bool:
        """False while more than half of it is full, or messages come faster than they can be written."""
        return self._queue.waiting_bytes <= self._limits.capacity_bytes // 2 and self._queue.incoming < READ_AHEAD

    @property
    def depth(self) -> int:
        """Messages not yet acknowledged."""
        return self._queue.depth

    def report(self) -> OutboxReport:
        """Depth, age, losses and trouble."""
        queue, oldest_s = self._queue, self._queue.oldest_s
        age_s = None if oldest_s is None else self._now_s() - oldest_s
        return OutboxReport(
            queue.depth,
            age_s,
            queue.dropped,
            self._limits.expired,
            self._refused,
            queue.waiting_bytes,
            self.is_durable,
            None if self._disk is None else self._disk.problem,
            self.epoch.id,
            self.epoch.reason,
        )

    def work(self) -> None:
        """One round: save what came, forget what arrived, drop what is too much or too old, read ahead."""
        disk = self._disk
        if disk is not None:
            disk.save(everything=self._closing)
        if disk is None:
            self._queue.admit_unsaved()
        elif not self.is_durable:
            self._queue.admit_unsaved(disk.mark_unsaved(), overtaking=disk.ledger is None)
        try:
            self._limits.enforce(None if disk is None else disk.ledger, self._now_s(), is_durable=self.is_durable)
            if disk is not None:
                disk.read_ahead()
        except sqlite3.Error as error:
            if disk is not None:
                disk.fall_back(error, readable=False)
        self.on_ready()
        self._tell_kept()

    def _run(self) -> None:
        while not self._closing:
            with self._queue.changed:
                self._queue.changed.wait_for(self._has_work, FORGET_DELAY_S)
            self.work()
        self.work()  # what came during the last round

    def _has_work(self) -> bool:
        queue, disk = self._queue, self._disk
        can_read = disk is not None and disk.ledger is not None
        is_new = queue.unsaved > 0
        if disk is not None and not disk.may_write:
            is_new = queue.incoming > 0 and (queue.on_disk == 0 or not can_read)
        return self._closing or is_new or (can_read and queue.wants_more)

    def _now_s(self) -> float:
        return self._clock() if self._disk is None else self._disk.now_s()

    def _tell_kept(self) -> None:
        for entry in self._queue.kept():
            kept, entry.kept = entry.kept, None  # a file that turns up again makes some of them come through twice
            if kept is not None:
                kept()
