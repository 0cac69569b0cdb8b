"""A file of records that only grows at its end. A power cut leaves whole records, and a torn one that is cut off."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from edge.atomic_file import replacing, sync_folder
from edge.private_files import private

MARK = b"STR1"
_HEAD = struct.Struct("<4sII")  # the mark, the length of what follows, its CRC-32


def records(path: Path, longest: int) -> Iterator[bytes]:
    """The records of a file, each no longer than `longest` bytes, up to the first that is torn; OSError when it cannot be read."""
    with path.open("rb") as file:
        while (record := _read(file, longest)) is not None:
            yield record


def append(path: Path, record: bytes, *, sync: bool) -> int:
    """Add a record; without `sync` a power cut may take it. Returns the bytes that were written; OSError when the disk fails."""
    with open(path, "ab", opener=private) as file:  # Path.open has no opener
        start = file.tell()
        try:
            file.write(_framed(record))
            file.flush()
            if sync:
                os.fsync(file.fileno())
        except OSError:
            file.truncate(start)  # what follows a torn record would be lost
            raise
    if not start and sync:
        sync_folder(path.parent)
    return _HEAD.size + len(record)


def cut_torn(path: Path, longest: int) -> None:
    """Cut off what is no whole record at the end; OSError when that cannot be done."""
    with path.open("r+b") as file:
        end = 0
        while _read(file, longest) is not None:
            end = file.tell()
        file.truncate(end)


def rewrite(path: Path, kept: Iterable[bytes]) -> int:
    """Replace a file by one of these records, or remove it when there are none; returns the bytes that were written."""
    written = 0
    with replacing(path) as file:
        for record in kept:
            written += file.write(_framed(record))
    if not written:
        path.unlink()
    return written


def _framed(record: bytes) -> bytes:
    return _HEAD.pack(MARK, len(record), zlib.crc32(record)) + record


def _read(file: BinaryIO, longest: int) -> bytes | None:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    mark, length, crc32 = _HEAD.unpack(head)
    if mark != MARK or length > longest:
        return None
    record = file.read(length)
    return record if len(record) == length and zlib.crc32(record) == crc32 else None
