"""What the page remembers: scores by time, events with what people said of them, and when nothing was heard."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from edge.dashboard.database import Database
from edge.dashboard.event_store import EventStore
from edge.dashboard.score_buckets import ScoreBuckets
from edge.device_health import clock_synced

FLUSH_S: Final = 30.0  # between batches of scores: an SD card has a bounded number of writes
TIDY_S: Final = 3600.0
TIDY_EVENTS: Final = 500  # or after so many: a flood of large ones could fill the disk within the hour
MOST_GAPS: Final = 10_000
SHORTEST_GAP_S: Final = 2.0


class History:
    """All of it in one file, bounded in age and size. Written by the network thread."""

    def __init__(
        self,
        path: Path,
        keep_days: float,
        capacity_mb: float,
        wall: Callable[[], float] = time.time,
        is_synced: Callable[[], bool | None] = clock_synced,
    ) -> None:
        """Events and hourly scores go after `keep_days`; beyond `capacity_mb` pictures of events go, then the oldest events and scores.

        By a clock that is not synchronised nothing is old: one that is wrong by a year would delete everything.
        """
        self.database = Database(path)
        self.buckets = ScoreBuckets()
        self.events = EventStore(self.database)
        self._keep_s = keep_days * 86_400.0
        self._capacity_bytes = capacity_mb * 1e6
        self._wall = wall
        self._is_synced = is_synced
        self._flushed_s = time.monotonic()
        self._tidied_s = -TIDY_S

    def open(self) -> None:
        """Open the file, and note for how long no dashboard wrote it; see `Database.open`."""
        self.database.open()
        last = self.database.get("alive_at")
        if last is not None:
            with suppress(ValueError):  # no number: somebody else wrote it
                self.add_gap(float(last), self._wall(), "the dashboard did not run")

    def close(self) -> None:
        """Write what waits."""
        self.flush()
        self.database.close()

    def poll(self) -> None:
        """Write and tidy when it is time."""
        now_s = time.monotonic()
        if now_s - self._flushed_s >= FLUSH_S:
            self.flush()
        if now_s - self._tidied_s >= TIDY_S or self.events.fresh >= TIDY_EVENTS:
            self._tidied_s, self.events.fresh = now_s, 0
            self.tidy()

    def flush(self) -> None:
        """Write the scores that wait; a disk that is full or fails costs history and nothing else."""
        self._flushed_s = time.monotonic()
        with self.database.writing() as db:
            if db is not None:
                self.buckets.write(db, self.database.source_id)
        self.database.put("alive_at", repr(self._wall()))

    def tidy(self) -> None:
        """Delete what is too old or too much."""
        now_s = self._wall()
        with self.database.writing() as db:
            if db is None:
                return
            if self._is_synced() is not False:
                self.buckets.forget(db, now_s, self._keep_s)
                self.events.forget_older(db, now_s - self._keep_s)
                db.execute("DELETE FROM gaps WHERE t_end < ?", (now_s - self._keep_s,))
            self.events.forget_surplus(db)
            db.execute("DELETE FROM gaps WHERE t_start NOT IN (SELECT t_start FROM gaps ORDER BY t_start DESC LIMIT ?)", (MOST_GAPS,))
        for shrink in (self.events.forget_pictures, self.events.forget_oldest, self.buckets.forget_oldest):
            while self.database.used_bytes() > self._capacity_bytes:
                with self.database.writing() as db:
                    has_shrunk = db is not None and shrink(db)
                if not has_shrunk:
                    break
        self.database.give_back()

    def add_gap(self, start_s: float, end_s: float, reason: str) -> None:
        """Nothing was heard of any node between two times."""
        if end_s - start_s >= SHORTEST_GAP_S:
            with self.database.writing() as db:
                if db is not None:
                    db.execute("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?)", (start_s, end_s, reason))

    def gaps(self, since_s: float) -> list[dict[str, Any]]:
        """When nothing was heard, the earliest first."""
        query = "SELECT t_start, t_end, reason FROM gaps WHERE t_end >= ? ORDER BY t_start DESC LIMIT 2000"
        with self.database.reading() as db:
            rows = db.execute(query, (since_s,)).fetchall()
        return [{"t_start": row[0], "t_end": row[1], "reason": row[2]} for row in reversed(rows)]

    def scores(self, node: str, source: str, step: int, since_s: float) -> list[list[Any]]:
        """Rows of one source: start, lowest, highest, windows above the threshold."""
        with self.database.reading() as db:
            return self.buckets.of(db, self.database.known_id(node, source), node, source, step, since_s)

    def highest(self, step: int, since_s: float) -> dict[tuple[str, str], list[tuple[int, float]]]:
        """Of all sources: start and highest score."""
        with self.database.reading() as db:
            found = self.buckets.highest(db, step, since_s)
        return {self.database.name_of(number): rows for number, rows in found.items()}
