"""The file of a ledger: opened, created, or set aside when it is damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from edge.atomic_file import sync_folder
from edge.errors import OutboxError
from edge.outbox.ledger import LOG, Ledger
from edge.private_files import make_folder, private

MOST_ASIDE = 3  # damaged files that are kept
_CORRUPT = ("malformed", "not a database", "encrypted")  # SQLITE_CORRUPT and SQLITE_NOTADB; Python 3.10 does not give error codes


def open_ledger(path: Path) -> Ledger:
    """Open the file, or a new one; a damaged one is set aside as `<name>.corrupt-<time>`.

    Raises
    ------
    OutboxError
        when another daemon uses the file, or it is a folder.
    OSError, sqlite3.Error
        when the disk does not let us.
    """
    if path.is_dir():
        raise OutboxError(path, "a folder; name a file as outbox.path")
    make_folder(path.parent)
    try:
        return _opened(path)
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise OutboxError(path, "in use by another auscult; stop that one, or give this one an outbox.path of its own") from error
        if not (is_damage(error) or ("readonly" in str(error) and _takes_writes(path))):
            raise
        aside = _set_aside(path)
        LOG.error("%s: damaged (%s); set aside as %s, the messages in it are not delivered", path, error, aside.name)
        return _opened(path)


def is_damage(error: Exception) -> bool:
    """Whether the file is to blame for an error, and not the disk."""
    return isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in _CORRUPT)


def files_of(path: Path) -> list[Path]:
    """The outbox's file, and the files beside it that share its name."""
    suffixes = ("-wal", "-shm", ".high-water-", ".sources", ".corrupt-")
    beside = tuple(f"{path.name}{suffix}" for suffix in suffixes)
    return [file for file in path.parent.glob("*") if file.name == path.name or file.name.startswith(beside)]


def _opened(path: Path) -> Ledger:
    if not _has_bytes(path) and _has_bytes(_wal(path)):
        aside = _set_aside(path)  # a log without its file: SQLite would delete it
        LOG.error("%s: gone, and its log is left; set aside as %s-wal", path, aside.name)
    is_new = not path.exists()
    if is_new:  # SQLite gives its log the mode of the file
        os.close(private(str(path), os.O_RDWR | os.O_CREAT))
    ledger = Ledger(path)
    if is_new:
        sync_folder(path.parent)
    return ledger


def _has_bytes(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _takes_writes(path: Path) -> bool:
    """Whether the system lets us write to the file: if SQLite does not, the header says so, and is damaged."""
    with contextlib.suppress(OSError), path.open("r+b"):
        return True
    return False


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _set_aside(path: Path) -> Path:
    """Rename the file and its log, which would be applied to the new one; done for good when it returns."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    count = 1
    while aside.exists() or _wal(aside).exists():
        count += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{count}")
    for ours, theirs in ((_wal(path), _wal(aside)), (path, aside)):
        if ours.exists():
            ours.rename(theirs)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    # A dying card must not be filled with its own ruins.
    ruins = sorted({old.name.removesuffix("-wal") for old in path.parent.glob(f"{path.name}.corrupt-*")})
    for name in ruins[:-MOST_ASIDE]:
        for old in (path.with_name(name), path.with_name(f"{name}-wal")):
            old.unlink(missing_ok=True)
    sync_folder(path.parent)
    return aside
