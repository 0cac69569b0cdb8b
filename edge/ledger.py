"""The SQLite file behind the outbox: event messages that wait, and for each source the last one it ever had."""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import OutboxError
from edge.mqtt.message import Message

LOG = logging.getLogger("auscult.outbox")
VERSION = 1
WAL_BYTES = 4 << 20
MOST_ASIDE = 3  # damaged files that are kept
OVERHEAD_BYTES = 200  # of a row and its topic, counted with every payload
_CORRUPT = ("malformed", "not a database", "encrypted")  # SQLITE_CORRUPT and SQLITE_NOTADB; Python 3.10 does not tell error codes
_TABLES = (
    "CREATE TABLE message (number INTEGER PRIMARY KEY, source TEXT NOT NULL, seq INTEGER NOT NULL, closes INTEGER NOT NULL,"
    " delivered INTEGER NOT NULL, entered_s REAL NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL)",
    "CREATE TABLE file (id TEXT NOT NULL, first_seq INTEGER NOT NULL)",
)
_COLUMNS = "number, source, seq, closes, entered_s, topic, payload"


@dataclass(slots=True, eq=False)
class Entry:
    """A message of the outbox. `number` is its place in the order of all; it changes only when a file with older messages turns up."""

    number: int
    source: str
    seq: int
    closes: bool  # the last message of its event
    entered_s: float  # on the outbox's clock
    message: Message
    fresh: bool = False  # it came while the connection stood on which it is about to go out for the first time
    saved: bool = False
    delivered: bool = False  # acknowledged or given up
    kept: Callable[[], None] | None = None  # to be called once it is saved, or goes on from memory because the disk fails

    @property
    def size_bytes(self) -> int:
        """What it counts against the outbox's capacity."""
        return len(self.message.payload) + OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits in the file, without its payload."""

    number: int
    source: str
    size_bytes: int


class Ledger:
    """An open file. Each `write` is one transaction that is on the disk when it returns (WAL, synchronous=FULL).

    The last message of each source stays in the file after its delivery: it holds the `seq` to go on from, and what is known of an event
    that was never closed. Not thread-safe. Every method raises sqlite3.Error when the disk or the file fails, and has then done nothing.
    """

    def __init__(self, path: Path, first_seq: int = 1) -> None:
        """Open or create; `first_seq` is where the sources of a new file begin to count. See `open_ledger` for what may be raised."""
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
        try:
            self._prepare(first_seq)
            self._load()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self, first_seq: int) -> None:
        execute = self._database.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")  # one daemon only; it also spares the -shm file and its page writes
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")  # with NORMAL a power cut could take back a message that is already published
        execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        execute("PRAGMA cache_size = -1024")
        execute("PRAGMA temp_store = MEMORY")
        with self._transaction():
            if execute("PRAGMA user_version").fetchone()[0] == 0 and not execute("SELECT name FROM sqlite_master").fetchone():
                for table in _TABLES:
                    execute(table)
                execute("INSERT INTO file VALUES (?, ?)", (uuid.uuid4().hex, first_seq))
                execute(f"PRAGMA user_version = {VERSION}")
        problem = execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(f"malformed: {problem}")
        version = execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise sqlite3.DatabaseError(f"not a database of this version of Auscult (it has {version}, expected {VERSION})")

    def _load(self) -> None:
        execute = self._database.execute
        self.id: str  # tells a new file from the old one under the same name
        self.first_seq: int
        self.id, self.first_seq = execute("SELECT id, first_seq FROM file").fetchone()
        rows = execute(f"SELECT {_COLUMNS} FROM message WHERE number IN (SELECT max(number) FROM message GROUP BY source) ORDER BY number")
        self.latest: list[Entry] = [_entry(row) for row in rows]  # of each source when the file was opened, delivered or not
        self._latest = {entry.source: entry.number for entry in self.latest}
        self._kept = {source: number for source, number in execute("SELECT source, number FROM message WHERE delivered")}
        self.last_number: int = max(self._latest.values(), default=0)
        self.last_entered_s: float = execute("SELECT coalesce(max(entered_s), 0.0) FROM message").fetchone()[0]
        count, payload_bytes = execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM message WHERE NOT delivered").fetchone()
        self.waiting: int = count  # when the file was opened
        self.waiting_bytes: int = payload_bytes + count * OVERHEAD_BYTES

    def raise_first_seq(self, first_seq: int) -> None:
        """From now on no source counts below `first_seq`."""
        if first_seq > self.first_seq:
            with self._transaction():
                self._database.execute("UPDATE file SET first_seq = ?", (first_seq,))
            self.first_seq = first_seq

    def probe(self) -> None:
        """Write a page, to find out whether the disk takes it."""
        with self._transaction():
            self._database.execute("UPDATE file SET first_seq = first_seq")

    def write(self, entries: Sequence[Entry], done: Sequence[tuple[int, str]] = ()) -> None:
        """Add `entries`, and forget the messages in `done`, each as (number, source)."""
        latest, kept = dict(self._latest), dict(self._kept)
        with self._transaction():
            for entry in entries:
                message, delivered = entry.message, entry.delivered
                row = (entry.number, entry.source, entry.seq, entry.closes, delivered, entry.entered_s, message.topic, message.payload)
                self._database.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                latest[entry.source] = max(entry.number, latest.get(entry.source, 0))
                self._keep_only_latest(kept, entry.source, entry.number if delivered else None)
            for number, source in done:
                if number == latest.get(source):
                    self._database.execute("UPDATE message SET delivered = 1 WHERE number = ?", (number,))
                    self._keep_only_latest(kept, source, number)
                else:
                    self._database.execute("DELETE FROM message WHERE number = ?", (number,))
        self._latest, self._kept = latest, kept

    def _keep_only_latest(self, kept: dict[str, int], source: str, number: int | None) -> None:
        before = kept.pop(source, None)
        if before is not None and before != number:
            self._database.execute("DELETE FROM message WHERE number = ?", (before,))
        if number is not None:
            kept[source] = number

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return the first messages that wait behind number `after`, in order."""
        query = f"SELECT {_COLUMNS} FROM message WHERE number > ? AND NOT delivered ORDER BY number LIMIT ?"
        return [_entry(row) for row in self._database.execute(query, (after, limit))]

    def waiting_numbers(self) -> set[int]:
        """Return the numbers of all that waits."""
        return {number for (number,) in self._database.execute("SELECT number FROM message WHERE NOT delivered")}

    def expendable(self) -> Iterator[Waiting]:
        """Yield what waits, what is missed least first: the oldest, but a `closed`, which says all of its event, after the others."""
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


def open_ledger(path: Path, renumber: Callable[[], float] = time.time) -> Ledger:
    """Open the file, or a new one; a damaged one is set aside as `<name>.corrupt-<time>`.

    Nobody knows then how far the sources had counted. A new file in its stead goes on from `renumber()`, the seconds since 1970, which is
    above everything that was counted at less than one message per second.

    Raises
    ------
    OutboxError
        when another daemon uses the file, or it is a folder.
    OSError, sqlite3.Error
        when the disk does not let us.
    """
    if path.is_dir():
        raise OutboxError(path, "a folder; name a file as outbox.path")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return Ledger(path)
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise OutboxError(path, "in use by another auscult; stop that one, or give this one an outbox.path of its own") from error
        if not is_damage(error):
            raise
        aside = _set_aside(path)
        LOG.error("%s: damaged (%s); set aside as %s, what waited in it is not delivered", path, error, aside.name)
        return Ledger(path, int(renumber()))


def is_damage(error: Exception) -> bool:
    """Whether the file is to blame for an error, and not the disk."""
    return isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in _CORRUPT)


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    count = 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{count}")
    path.rename(aside)
    for old in sorted(path.parent.glob(f"{path.name}.corrupt-*[!l]"))[:-MOST_ASIDE]:  # a dying card must not be filled with its own ruins
        for name in (old, old.with_name(f"{old.name}-wal")):
            name.unlink(missing_ok=True)
    for suffix in ("-wal", "-shm"):  # they belong to the damaged file and would be applied to the new one
        rest = path.with_name(path.name + suffix)
        if rest.exists():
            rest.rename(aside.with_name(aside.name + suffix))
    return aside


def _entry(row: tuple[int, str, int, int, float, str, bytes]) -> Entry:
    number, source, seq, closes, entered_s, topic, payload = row
    return Entry(number, source, seq, bool(closes), entered_s, Message(topic, payload), saved=True)
