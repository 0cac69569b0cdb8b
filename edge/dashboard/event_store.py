"""Events in the history: what the nodes said of them, what people said of them, and their pictures."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from edge.dashboard.database import Database
from edge.dashboard.messages import Event, seconds

MOST_EVENTS: Final = 50_000
AT_ONCE: Final = 500  # deleted in one transaction
PICTURES_AT_ONCE: Final = 10
_COLUMNS: Final = (
    "sources.node, sources.source, events.id, type, t_start, t_end, peak, p_value, regions, heads, detector, bundle, lost_s, "
    "clock_synced, interrupted, clip, verdict, note, marked_at"
)
_FROM: Final = "FROM events JOIN sources ON sources.id = events.source"

Verdict = Literal["false_alarm", "real"]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; None is any."""

    node: str | None = None
    source: str | None = None
    verdict: Literal["false_alarm", "real", "none"] | None = None
    since_s: float | None = None
    until_s: float | None = None
    least_peak: float | None = None
    f_lo_hz: float | None = None  # with a region that reaches above this
    f_hi_hz: float | None = None  # and below this

    def where(self) -> tuple[str, list[Any]]:
        """SQL for it."""
        parts, values = ["1"], list[Any]()
        for condition, value in (
            ("sources.node = ?", self.node),
            ("sources.source = ?", self.source),
            ("verdict = ?", self.verdict if self.verdict != "none" else None),
            ("t_start >= ?", self.since_s),
            ("t_start < ?", self.until_s),
            ("peak >= ?", self.least_peak),
        ):
            if value is not None:
                parts.append(condition)
                values.append(value)
        if self.verdict == "none":
            parts.append("verdict IS NULL")
        if self.f_lo_hz is not None or self.f_hi_hz is not None:
            inner = "json_extract(value, '$.f_hi_hz') >= ? AND json_extract(value, '$.f_lo_hz') <= ?"
            parts.append(f"EXISTS (SELECT 1 FROM json_each(regions) WHERE {inner})")
            values += [self.f_lo_hz or 0.0, 1e9 if self.f_hi_hz is None else self.f_hi_hz]
        return " AND ".join(parts), values


class EventStore:
    """The tables `events` and `cells`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fresh = 0  # events that came since somebody set this to 0

    def put(self, node: str, source: str, event: Event) -> bool:
        """Keep a message about an event; False when it was known already, or a later one is."""
        with self._database.writing() as db:
            number = self._database.source_id(node, source) if db is not None else None
            if db is None or number is None:
                return False
            known = db.execute("SELECT type, epoch, seq FROM events WHERE source = ? AND id = ?", (number, event.id)).fetchone()
            if known is not None and (known[0] == "closed" or (known[1] == event.epoch and known[2] >= event.seq)):
                return False
            told = {
                "type": event.type,
                "epoch": event.epoch,
                "seq": event.seq,
                "t_start": seconds(event.t_start),
                "t_end": seconds(event.t_end),
                "peak": event.peak_score,
                "p_value": event.p_value,
                "regions": msgspec.json.encode(event.regions).decode(),
                "detector": event.detector,
                "bundle": event.bundle,
                "lost_s": event.lost_s,
                "clock_synced": event.clock_synced,
                "interrupted": event.interrupted,
                "clip": event.clip,
            }
            names = ", ".join(told)
            changes = ", ".join(f"{name} = excluded.{name}" for name in told)
            db.execute(
                f"INSERT INTO events (source, id, {names}) VALUES (?, ?, {', '.join('?' * len(told))}) "
                f"ON CONFLICT (source, id) DO UPDATE SET {changes}",
                [number, event.id, *told.values()],
            )
            self.fresh += known is None
            return True
        return False  # the disk did not take it

    def set_heads(self, node: str, source: str, event_id: str, heads: dict[str, float | None]) -> None:
        """The heads of the window with the highest score."""
        self._update(node, source, event_id, heads=json.dumps(heads))

    def mark(self, node: str, source: str, event_id: str, verdict: Verdict, note: str | None, at_s: float) -> None:
        """What somebody said of an event; a note that is not known stays as it was."""
        told: dict[str, Any] = {"verdict": verdict, "marked_at": at_s}
        if note is not None:
            told["note"] = note
        self._update(node, source, event_id, **told)

    def put_picture(self, node: str, source: str, event_id: str, data: bytes) -> None:
        """Keep the cells of an event."""
        with self._database.writing() as db:
            number = self._database.source_id(node, source) if db is not None else None
            if db is not None and number is not None:
                db.execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?)", (number, event_id, data))

    def picture(self, node: str, source: str, event_id: str) -> bytes | None:
        """The cells of an event."""
        number = self._database.known_id(node, source)
        with self._database.reading() as db:
            row = db.execute("SELECT data FROM cells WHERE source = ? AND event = ?", (number, event_id)).fetchone()
        return None if row is None else bytes(row[0])

    def find(self, chosen: EventFilter, limit: int, before: tuple[float, str] | None = None) -> list[dict[str, Any]]:
        """Events, the latest first; `before` is start and id of the last one that is known already."""
        where, values = chosen.where()
        if before is not None:
            where += " AND (t_start, events.id) < (?, ?)"
            values += before
        with self._database.reading() as db:
            query = f"SELECT {_COLUMNS} {_FROM} WHERE {where} ORDER BY t_start DESC, events.id DESC LIMIT ?"
            return [_event(row) for row in db.execute(query, [*values, limit])]

    def get(self, node: str, source: str, event_id: str) -> dict[str, Any] | None:
        """One event."""
        with self._database.reading() as db:
            query = f"SELECT {_COLUMNS} {_FROM} WHERE sources.node = ? AND sources.source = ? AND events.id = ?"
            row = db.execute(query, (node, source, event_id)).fetchone()
        return None if row is None else _event(row)

    def neighbours(self, node: str, source: str, t_start: float, event_id: str) -> dict[str, str | None]:
        """Ids of the events of a source before and after one."""
        number = self._database.known_id(node, source)
        with self._database.reading() as db:
            found = {}
            for name, sign, order in (("previous", "<", "DESC"), ("next", ">", "ASC")):
                query = (
                    f"SELECT id FROM events WHERE source = ? AND (t_start, id) {sign} (?, ?) ORDER BY t_start {order}, id {order} LIMIT 1"
                )
                row = db.execute(query, (number, t_start, event_id)).fetchone()
                found[name] = None if row is None else str(row[0])
        return found

    def unmarked(self, since_s: float) -> dict[tuple[str, str], tuple[int, float]]:
        """How many events of each source nobody has judged, and when the first of them began."""
        with self._database.reading() as db:
            query = f"SELECT node, sources.source, count(*), min(t_start) {_FROM} WHERE verdict IS NULL AND t_start >= ? GROUP BY 1, 2"
            return {(row[0], row[1]): (row[2], row[3]) for row in db.execute(query, (since_s,))}

    def forget_older(self, db: sqlite3.Connection, before_s: float) -> None:
        """Delete what is too old."""
        db.execute("DELETE FROM events WHERE t_start < ?", (before_s,))

    def forget_surplus(self, db: sqlite3.Connection) -> None:
        """Delete what is too many, and pictures without an event."""
        (count,) = db.execute("SELECT count(*) FROM events").fetchone()
        if count > MOST_EVENTS:
            self._delete_oldest(db, count - MOST_EVENTS)
        db.execute("DELETE FROM cells WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.source = cells.source AND id = event)")

    def forget_pictures(self, db: sqlite3.Connection) -> bool:
        """Delete the oldest pictures; False when there is none."""
        oldest = "SELECT cells.rowid FROM cells JOIN events ON events.source = cells.source AND id = event ORDER BY t_start LIMIT ?"
        return db.execute(f"DELETE FROM cells WHERE rowid IN ({oldest})", (PICTURES_AT_ONCE,)).rowcount > 0

    def forget_oldest(self, db: sqlite3.Connection) -> bool:
        """Delete the oldest events; False when there is none."""
        return self._delete_oldest(db, AT_ONCE)

    def _delete_oldest(self, db: sqlite3.Connection, count: int) -> bool:
        oldest = "SELECT rowid FROM events ORDER BY t_start LIMIT ?"
        return db.execute(f"DELETE FROM events WHERE rowid IN ({oldest})", (count,)).rowcount > 0

    def _update(self, node: str, source: str, event_id: str, **told: Any) -> None:
        number = self._database.known_id(node, source)
        with self._database.writing() as db:
            if db is not None and number is not None:
                changes = ", ".join(f"{name} = ?" for name in told)
                db.execute(f"UPDATE events SET {changes} WHERE source = ? AND id = ?", [*told.values(), number, event_id])


def _event(row: tuple[Any, ...]) -> dict[str, Any]:
    names = [name.rpartition(".")[2].strip() for name in _COLUMNS.split(",")]
    event = dict(zip(names, row, strict=True))
    event["regions"] = json.loads(event["regions"])
    event["heads"] = json.loads(event["heads"]) if event["heads"] else None
    for name in ("clock_synced", "interrupted"):
        event[name] = None if event[name] is None else bool(event[name])
    return event
