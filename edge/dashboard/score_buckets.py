"""Scores by time: the lowest and the highest in each stretch of two minutes, a quarter of an hour and an hour."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

DAY_S: Final = 86_400.0
STEPS_S: Final = (120, 900, 3600)  # for a day, a week and a month on the page
KEPT_S: Final = {120: 2 * DAY_S, 900: 8 * DAY_S}  # the coarsest as long as everything else


@dataclass(slots=True)
class _Bucket:
    low: float
    high: float
    windows: int = 0
    above: int = 0  # of the windows, those above the threshold


Key = tuple[int, int, str, str]  # step, start, node, source


class ScoreBuckets:
    """Collects in memory what the next batch writes; a row that is written twice is merged."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Key, _Bucket] = {}

    def add(self, node: str, source: str, at_s: float, score: float, *, above: bool) -> None:
        """One window; `at_s` is seconds since 1970."""
        with self._lock:
            for step in STEPS_S:
                start = int(at_s // step) * step
                bucket = self._open.setdefault((step, start, node, source), _Bucket(score, score))
                bucket.low, bucket.high = min(bucket.low, score), max(bucket.high, score)
                bucket.windows += 1
                bucket.above += above

    def write(self, db: sqlite3.Connection, source_id: Callable[[str, str], int | None]) -> None:
        """Write what was collected."""
        with self._lock:
            found, self._open = self._open, {}
        rows = [
            (step, start, number, bucket.low, bucket.high, bucket.windows, bucket.above)
            for (step, start, node, source), bucket in found.items()
            if (number := source_id(node, source)) is not None
        ]
        db.executemany(
            "INSERT INTO buckets VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (step, t, source) DO UPDATE SET low = min(low, excluded.low), "
            "high = max(high, excluded.high), windows = windows + excluded.windows, above = above + excluded.above",
            rows,
        )

    def forget(self, db: sqlite3.Connection, now_s: float, keep_s: float) -> None:
        """Delete what is too old, and what claims to be of a far future."""
        for step in STEPS_S:
            kept_s = KEPT_S.get(step, keep_s)
            db.execute("DELETE FROM buckets WHERE step = ? AND (t < ? OR t > ?)", (step, now_s - kept_s, now_s + 2 * DAY_S))

    def forget_oldest(self, db: sqlite3.Connection) -> bool:
        """Delete the oldest day that there is; False when there is none."""
        (oldest,) = db.execute("SELECT min(t) FROM buckets").fetchone()
        return oldest is not None and db.execute("DELETE FROM buckets WHERE t < ?", (oldest + DAY_S,)).rowcount > 0

    def of(self, db: sqlite3.Connection, number: int | None, node: str, source: str, step: int, since_s: float) -> list[list[Any]]:
        """Rows of one source: start, lowest, highest, windows above the threshold; the earliest first."""
        query = "SELECT t, low, high, above FROM buckets WHERE step = ? AND t >= ? AND source = ? ORDER BY t"
        rows = [list(row) for row in db.execute(query, (step, since_s - step, number))] if number is not None else []
        with self._lock:
            waiting = sorted((key[1], bucket) for key, bucket in self._of(step, node, source))
        for start, bucket in waiting:
            same = next((row for row in rows[-3:] if row[0] == start), None)
            if same is None:
                rows.append([start, bucket.low, bucket.high, bucket.above])
            else:
                same[1:] = [min(same[1], bucket.low), max(same[2], bucket.high), same[3] + bucket.above]
        return sorted(rows, key=lambda row: float(row[0]))

    def highest(self, db: sqlite3.Connection, step: int, since_s: float) -> dict[int, list[tuple[int, float]]]:
        """Of all sources, by number: start and highest score."""
        found: dict[int, list[tuple[int, float]]] = {}
        for start, number, high in db.execute("SELECT t, source, high FROM buckets WHERE step = ? AND t >= ? ORDER BY t", (step, since_s)):
            found.setdefault(number, []).append((start, high))
        return found

    def _of(self, step: int, node: str, source: str) -> list[tuple[Key, _Bucket]]:
        return [(key, bucket) for key, bucket in self._open.items() if key[0] == step and key[2:] == (node, source)]
