"""The SQLite file of the page: opened by one dashboard, written in transactions, read beside that.

The network thread writes; readers have connections of their own (write-ahead log), so a slow reader delays nobody.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from edge.errors import ConfigError
from edge.private_files import make_folder, private

LOG = logging.getLogger("auscult.dashboard")

MOST_NAMES: Final = 5_000  # sources that ever were
SCHEMA: Final = 1
_SECRET: Final = re.compile("[0-9a-f]{64}")
_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (id INTEGER PRIMARY KEY, node TEXT NOT NULL, source TEXT NOT NULL, UNIQUE (node, source));
-- By time first: the rows that one batch writes lie on one page.
CREATE TABLE buckets (step INTEGER, t INTEGER, source INTEGER, low REAL, high REAL, windows INTEGER, above INTEGER,
    PRIMARY KEY (step, t, source)) WITHOUT ROWID;
CREATE TABLE events (source INTEGER, id TEXT, type TEXT, epoch TEXT, seq INTEGER, t_start REAL, t_end REAL, peak REAL, p_value REAL,
    regions TEXT, heads TEXT, detector TEXT, bundle TEXT, lost_s REAL, clock_synced INTEGER, interrupted INTEGER, clip TEXT,
    verdict TEXT, note TEXT, marked_at REAL, PRIMARY KEY (source, id));
CREATE INDEX events_by_time ON events (t_start);
CREATE INDEX events_by_source ON events (source, t_start);
CREATE TABLE cells (source INTEGER, event TEXT, data BLOB, PRIMARY KEY (source, event));
CREATE TABLE gaps (t_start REAL PRIMARY KEY, t_end REAL, reason TEXT) WITHOUT ROWID;
"""


class Database:
    """Opened by one dashboard at a time; a second one on the same file is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._lock = threading.RLock()  # of the writing connection: the network thread's, but for logins
        self._ids: dict[tuple[str, str], int] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._lock_file: int | None = None
        self._problem: str | None = None
        self._has_begun_anew = False  # once in a run: a disk that damages everything shall not replace what was put aside

    def open(self) -> None:
        """Open the file, or make it; one that is damaged or of another version is put aside.

        Raises
        ------
        ConfigError
            It cannot be made, or another dashboard uses it.
        """
        try:
            make_folder(self.path.parent)
            self._lock_file = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(private(str(self.path), os.O_RDWR | os.O_CREAT))
        except BlockingIOError:
            raise ConfigError(self.path, "another dashboard uses this history; name another file with dashboard.history") from None
        except OSError as error:
            problem = f"cannot be written ({error.strerror}); name another file with dashboard.history"
            raise ConfigError(self.path, problem) from error
        try:
            self._db = self._opened()
        except sqlite3.OperationalError as error:
            raise ConfigError(self.path, f"cannot be opened ({error}); name another file with dashboard.history") from error
        except sqlite3.DatabaseError as error:
            self._put_aside(error)
            self._db = self._opened()
        self._load_names(self._db)

    def close(self) -> None:
        """Let others have the file."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def used_bytes(self) -> int:
        """How much of the file is in use."""
        with self.reading() as db:
            pages, free, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
        return int((pages - free) * size)

    def source_id(self, node: str, source: str) -> int | None:
        """The number of a source, made when it has none; None when there are too many. For writers."""
        found = self._ids.get((node, source))
        if found is None and self._db is not None and len(self._ids) < MOST_NAMES:
            with self._lock:
                found = self._db.execute("INSERT INTO sources (node, source) VALUES (?, ?)", (node, source)).lastrowid
            if found is not None:
                self._remember(found, node, source)
        return found

    def _load_names(self, db: sqlite3.Connection) -> None:
        self._ids, self._names = {}, {}
        for number, node, source in db.execute("SELECT id, node, source FROM sources"):
            self._remember(number, node, source)

    def _begin_anew(self, error: sqlite3.Error) -> None:
        """Put the file aside when `error` says that it is damaged."""
        with self._lock:
            if type(error) is not sqlite3.DatabaseError or self._db is None or self._has_begun_anew:  # the others are subclasses
                return
            self._has_begun_anew = True
            self._db.close()
            self._put_aside(error)
            self._db = self._opened()
            self._load_names(self._db)

    def _remember(self, number: int, node: str, source: str) -> None:
        self._ids[node, source] = number
        self._names[number] = (node, source)

    def known_id(self, node: str, source: str) -> int | None:
        """The number of a source that is known."""
        return self._ids.get((node, source))

    def name_of(self, number: int) -> tuple[str, str]:
        """Node and source of a number."""
        return self._names[number]

    def give_back(self) -> None:
        """Return pages that are not used any more to the disk."""
        with self.writing() as db:
            if db is not None:
                db.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")  # `execute` would free one page

    def get(self, key: str) -> str | None:
        """A setting that outlives a restart."""
        with self.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, value: str) -> None:
        """Keep a setting."""
        with self.writing() as db:
            if db is not None:
                db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))

    def secret(self, key: str) -> str:
        """A random text that stays the same over restarts."""
        found = self.get(key)
        if found is None or _SECRET.fullmatch(found) is None:
            found = secrets.token_hex(32)
            self.put(key, found)
        return found

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection | None]:
        """One transaction; None when the file is closed. What the disk refuses is logged once and given up."""
        with self._lock:
            if self._db is None:
                yield None
                return
            try:
                with self._db:
                    yield self._db
            except sqlite3.Error as error:
                if self._problem != str(error):
                    LOG.error("%s: cannot be written (%s); the page goes on without it", self.path, error)
                self._problem = str(error)
                with suppress(sqlite3.Error):
                    self._begin_anew(error)
                    self._load_names(self._db)  # a source that was new is not in the file
            else:
                self._problem = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one reader."""
        db = sqlite3.connect(f"file:{_quoted(self.path)}?mode=ro", uri=True, timeout=5.0)
        try:
            yield db
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._begin_anew(error)
            raise
        finally:
            db.close()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=5.0, check_same_thread=False)
        try:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")
            elif version != SCHEMA:
                raise sqlite3.DatabaseError(f"its version is {version}, not {SCHEMA}")
            db.execute("SELECT count(*) FROM sources").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def _put_aside(self, error: Exception) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged")
        LOG.error("%s: cannot be used (%s); it is now %s, and a new history begins", self.path, error, aside.name)
        for suffix in ("", "-wal", "-shm"):
            old = self.path.with_name(self.path.name + suffix)
            if old.exists():
                old.replace(aside.with_name(aside.name + suffix))


def _quoted(path: Path) -> str:
    """A path in a URI (RFC 3986)."""
    return "".join(char if char.isalnum() or char in "/._-~" else "".join(f"%{byte:02X}" for byte in char.encode()) for char in str(path))
