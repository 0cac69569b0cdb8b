"""Write a file so that a reader, or a power cut, finds the old file or the new one, never a part of it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600  # what the node keeps for itself
SHARED = 0o666  # what is handed on: the umask decides who may read it


@contextlib.contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`, to be written and read; on success it takes the place of `path`, on any error it is removed.

    File and folder are synced: a device loses power without warning. `mode` is `PRIVATE` or `SHARED`.

    Raises
    ------
    OSError
        The folder does not exist, is not writable or is full. `path` is as it was before.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)  # never somebody else's file
    with open(descriptor, "x+b") as file:  # noqa: PTH123  # a descriptor, not a path
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network and FUSE file systems cannot sync a folder; the file is whole all the same
    finally:
        os.close(descriptor)
