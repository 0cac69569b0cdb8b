"""Files and folders that only the user of the node may read, whatever the umask is: they show what was heard in a room."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from edge.atomic_file import PRIVATE, sync_folder

LOG = logging.getLogger("auscult")
_FOLDER = 0o700
_OTHERS = 0o077


def private(path: str, flags: int) -> int:
    """The `opener` of a file that only this user may read: `open(path, "ab", opener=private)`."""
    return os.open(path, flags | os.O_CLOEXEC, PRIVATE)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents for this user alone, and let none of them vanish with a power cut. One that is there stays as it is.

    Raises
    ------
    OSError
        It cannot be made.
    """
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for made in reversed(missing):
        made.mkdir(_FOLDER, exist_ok=True)
        sync_folder(made.parent)
    if not folder.is_dir():
        folder.mkdir()  # raises what is wrong with it


def narrow(paths: Iterable[Path], what: str) -> None:
    """Remove the access of others to this user's files and folders, which an earlier version left open; log it once."""
    narrowed = sum(_narrow(path) for path in paths)
    if narrowed:
        LOG.warning("%s: others could read %d files or folders in it; only this user can now", what, narrowed)


def _narrow(path: Path) -> bool:
    with contextlib.suppress(OSError):  # gone meanwhile, or on a file system that knows no modes
        found = path.lstat()
        is_ours = found.st_uid == os.geteuid() and (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))
        if is_ours and found.st_mode & _OTHERS:
            path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
            return True
    return False
