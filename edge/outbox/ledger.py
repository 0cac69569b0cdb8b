"""The SQLite file behind the outbox: event messages that wait, and the last message of each source."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.message import Message
from edge.outbox.entry import OVERHEAD_BYTES, Entry, Waiting, checksum
from edge.outbox.epoch import Epoch

LOG = logging.getLogger("auscult.outbox")
VERSION = 2
CHECKPOINT_PAGES = 100  # 400 kB: so much at most is in the log alone
WAL_BYTES = 1 << 20
_TABLES = (
    "CREATE TABLE message (number INTEGER PRIMARY KEY, source TEXT NOT NULL, seq INTEGER NOT NULL, closes INTEGER NOT NULL,"
    " delivered INTEGER NOT NULL, entered_s REAL NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE file (id TEXT NOT NULL, first_seq INTEGER NOT NULL, epoch TEXT NOT NULL, reason TEXT NOT NULL)",
)
_FROM_VERSION_1 = (
    "ALTER TABLE message ADD COLUMN crc INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE file ADD COLUMN epoch TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE file ADD COLUMN reason TEXT NOT NULL DEFAULT ''",
)
_CHECKED = "number, source, seq, closes, delivered, entered_s, topic, payload"


class Ledger:
    """An open file. Each `write` is one transaction that is on the disk when it returns (WAL, synchronous=FULL).

    The last message of each source stays in the file after its delivery: it holds the `seq` to go on from, and what is known of an event
    that was never closed. Every row has a checksum, since SQLite does not see when a card changes bytes inside one; rows that fail it
    are deleted and counted in `lost`. Not thread-safe. Every method raises sqlite3.Error when the disk or the file fails, and has then
    done nothing.
    """

    def __init__(self, path: Path) -> None:
        """Open or create; see `open_ledger` for what may be raised."""
        self.lost = 0  # messages that waited, or may have, and were damaged
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
        # Bytes of a damaged text are no error here: the checksum finds it.
        self._database.text_factory = lambda data: data.decode(errors="replace")
        try:
            self._prepare()
            self._load()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        execute = self._database.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")  # one daemon only; it also spares the -shm file and its page writes
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")  # with NORMAL a power cut could take back a message that is already published
        execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        execute("PRAGMA cache_size = -1024")
        execute("PRAGMA temp_store = MEMORY")
        with self._transaction():
            version = execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not execute("SELECT name FROM sqlite_master").fetchone():
                for table in _TABLES:
                    execute(table)
                execute("INSERT INTO file VALUES (?, 0, '', '')", (uuid.uuid4().hex,))
            elif version == 1:
                for change in _FROM_VERSION_1:
                    execute(change)
                for row in execute(f"SELECT {_CHECKED} FROM message").fetchall():
                    execute("UPDATE message SET crc = ? WHERE number = ?", (checksum(*row), row[0]))
            elif version != VERSION:
                raise sqlite3.DatabaseError(f"not a database of this version of Auscult (it has {version}, expected {VERSION})")
            execute(f"PRAGMA user_version = {VERSION}")
        problem = execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(f"malformed: {problem}")

    def _load(self) -> None:
        execute = self._database.execute
        self._delete_damaged()
        self.id: str  # distinguishes a new file from the old one of the same name
        self.id, *epoch = execute("SELECT id, epoch, first_seq, reason FROM file").fetchone() or ("",)
        if not self.id:
            raise sqlite3.DatabaseError("malformed: it does not say what it is")
        self.epoch: Epoch | None = Epoch(*epoch) if epoch[0] else None  # None in a new file
        rows = execute(f"SELECT {_CHECKED} FROM message WHERE number IN (SELECT max(number) FROM message GROUP BY source) ORDER BY number")
        self.latest: list[Entry] = [_entry(row) for row in rows]  # of each source when the file was opened, delivered or not
        self._latest = {entry.source: entry.number for entry in self.latest}
        self._kept = {source: number for source, number in execute("SELECT source, number FROM message WHERE delivered")}
        self.last_number: int = max(self._latest.values(), default=0)
        self.last_entered_s: float = execute("SELECT coalesce(max(entered_s), 0.0) FROM message").fetchone()[0]
        count, payload_bytes = execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM message WHERE NOT delivered").fetchone()
        self.waiting: int = count  # when the file was opened
        self.waiting_bytes: int = payload_bytes + count * OVERHEAD_BYTES

    def _delete_damaged(self) -> None:
        """Delete the rows that are not what was written; the last ones of their source leave a hole in `seq` that somebody has to see."""
        damaged = [row[0] for row in self._database.execute(f"SELECT {_CHECKED}, crc FROM message") if not _is_whole(row)]
        if damaged:
            with self._transaction():
                self._database.executemany("DELETE FROM message WHERE number = ?", [(number,) for number in damaged])
            self.lost += len(damaged)

    def begin(self, epoch: Epoch) -> None:
        """Count within this epoch from now on; also a page that is written, to find out whether the disk takes it."""
        with self._transaction():
            self._database.execute("UPDATE file SET epoch = ?, first_seq = ?, reason = ?", (epoch.id, epoch.first_seq, epoch.reason))
        self.epoch = epoch

    def write(self, entries: Sequence[Entry], done: Sequence[tuple[int, str]] = ()) -> None:
        """Add `entries`, and forget the messages in `done`, each as (number, source)."""
        latest, kept = dict(self._latest), dict(self._kept)
        with self._transaction():
            for entry in entries:
                message, delivered = entry.message, entry.delivered
                row = (entry.number, entry.source, entry.seq, entry.closes, delivered, entry.entered_s, message.topic, message.payload)
                self._database.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, checksum(*row)))
                latest[entry.source] = max(entry.number, latest.get(entry.source, 0))
                self._keep_only_latest(kept, entry.source, entry.number if delivered else None)
            for number, source in done:
                if number == latest.get(source):
                    self._mark_delivered(number)
                    self._keep_only_latest(kept, source, number)
                else:
                    self._database.execute("DELETE FROM message WHERE number = ?", (number,))
        self._latest, self._kept = latest, kept

    def _mark_delivered(self, number: int) -> None:
        row = self._database.execute(f"SELECT {_CHECKED} FROM message WHERE number = ?", (number,)).fetchone()
        if row is not None:
            row = (*row[:4], True, *row[5:])
            self._database.execute("UPDATE message SET delivered = 1, crc = ? WHERE number = ?", (checksum(*row), number))

    def _keep_only_latest(self, kept: dict[str, int], source: str, number: int | None) -> None:
        before = kept.pop(source, None)
        if before is not None and before != number:
            self._database.execute("DELETE FROM message WHERE number = ?", (before,))
        if number is not None:
            kept[source] = number

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return the first messages that wait behind number `after`, in order.

        Raises
        ------
        sqlite3.DatabaseError
            when one of them is not what was written.
        """
        query = f"SELECT {_CHECKED}, crc FROM message WHERE number > ? AND NOT delivered ORDER BY number LIMIT ?"
        rows = self._database.execute(query, (after, limit)).fetchall()
        if not all(map(_is_whole, rows)):
            raise sqlite3.DatabaseError("malformed: a message is not what was written")
        return [_entry(row[:8]) for row in rows]

    def waiting_numbers(self) -> set[int]:
        """Return the numbers of all that waits."""
        return {number for (number,) in self._database.execute("SELECT number FROM message WHERE NOT delivered")}

    def expendable(self) -> Iterator[Waiting]:
        """Yield waiting messages, the least important first: the oldest, but `closed` messages, which contain the whole event, last."""
        query = "SELECT number, source, length(payload) FROM message WHERE NOT delivered ORDER BY closes, number"
        for number, source, payload_bytes in self._database.execute(query):
            yield Waiting(number, source, payload_bytes + OVERHEAD_BYTES)

    def entered_before(self, entered_s: float) -> list[Waiting]:
        """Return what waits since before `entered_s`."""
        query = "SELECT number, source, length(payload) FROM message WHERE NOT delivered AND entered_s < ? ORDER BY number"
        return [Waiting(number, source, size + OVERHEAD_BYTES) for number, source, size in self._database.execute(query, (entered_s,))]

    def close(self) -> None:
        """Move the log into the file and close it."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # a full disk may have rolled it back already
                self._database.execute("ROLLBACK")
            raise


def _is_whole(row: tuple[Any, ...]) -> bool:
    try:
        return bool(checksum(*row[:8]) == row[8])
    except (TypeError, ValueError, AttributeError):  # a damaged cell has another type
        return False


def _entry(row: tuple[Any, ...]) -> Entry:
    number, source, seq, closes, _, entered_s, topic, payload = row
    return Entry(number, source, seq, bool(closes), entered_s, Message(topic, payload), saved=True)
