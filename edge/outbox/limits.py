"""How much the outbox may hold, and for how long: messages beyond that are dropped, counted and logged."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.outbox.ledger import Ledger
from edge.outbox.queue import OutboxQueue

LOG = logging.getLogger("auscult.outbox")
CAPACITY_BYTES = 50_000_000
KEEP_S = 30 * 86_400.0
MEMORY_BYTES = 4_000_000  # of messages that the disk does not take
EXPIRY_CHECK_S = 60.0
ROOM = 0.95  # how full the outbox is after it has made room, so that it need not for every message


class OutboxLimits:
    """The outbox's capacity and the greatest age of its messages. Used by one thread at a time, but for `expired`."""

    def __init__(self, queue: OutboxQueue, capacity_bytes: int, keep_s: float, clock: Callable[[], float]) -> None:
        """`clock` says when it is time to look for what is too old; ages themselves are on the outbox's clock."""
        self.capacity_bytes = capacity_bytes
        self.expired = 0  # messages that were dropped because they were too old
        self._queue = queue
        self._keep_s = keep_s
        self._clock = clock
        self._expiry_at_s = 0.0

    def enforce(self, ledger: Ledger | None, now_s: float, *, is_durable: bool) -> None:
        """Drop what is too old or too much; raises sqlite3.Error.

        `ledger` is the open file, if there is one, `now_s` the outbox's clock. Unless it `is_durable`, its memory has a limit too.
        """
        queue, clock_s = self._queue, self._clock()
        if clock_s >= self._expiry_at_s:
            self._expiry_at_s = clock_s + EXPIRY_CHECK_S
            self._expire(now_s - self._keep_s, ledger)
        if ledger is not None and queue.waiting_bytes > self.capacity_bytes:
            dropped = queue.drop(ledger.expendable(), queue.waiting_bytes - int(ROOM * self.capacity_bytes))
            self._tell(dropped, f"it holds {self.capacity_bytes / 1e6:g} MB")
        most_bytes = min(MEMORY_BYTES, self.capacity_bytes)
        if not is_durable and queue.unsaved_bytes > most_bytes:
            dropped = queue.drop(queue.expendable(), queue.unsaved_bytes - int(ROOM * most_bytes))
            self._tell(dropped, f"its memory holds {most_bytes / 1e6:g} MB")

    def _expire(self, before_s: float, ledger: Ledger | None) -> None:
        oldest_s = self._queue.oldest_s
        if oldest_s is None or oldest_s >= before_s:
            return
        expired = self._queue.drop([*self._queue.older_than(before_s), *(ledger.entered_before(before_s) if ledger else ())])
        self.expired += expired
        self._tell(expired, f"they were older than {self._keep_s / 86_400.0:g} days")

    def _tell(self, dropped: int, why: str) -> None:
        if dropped:
            LOG.warning("outbox: dropped %d event messages, %s (%d dropped so far)", dropped, why, self._queue.dropped)
