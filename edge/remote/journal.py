"""A file of JSON lines that only grows at its end, and not without end."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from edge.atomic_file import replacing

LOG = logging.getLogger("auscult.remote")

Entry = TypeVar("Entry")


class Journal(Generic[Entry]):
    """Each entry is one line. Beyond `most_bytes` the older half goes.

    A line that is no entry (a power cut in the middle of one, somebody's editor) is passed over.
    """

    def __init__(self, path: Path, kind: type[Entry], most_bytes: int = 1_000_000) -> None:
        self.path = path
        self._kind = kind
        self._most_bytes = most_bytes

    def read(self) -> list[Entry]:
        """All entries, the oldest first."""
        try:
            with self.path.open("rb") as file:
                lines = file.read(2 * self._most_bytes).split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            LOG.error("%s: cannot be read (%s); going on without it", self.path, error.strerror or error)
            return []
        entries = []
        for line in lines:
            try:
                entries.append(msgspec.json.decode(line, type=self._kind))
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                continue
        return entries

    def append(self, entry: Entry, *, sync: bool = True) -> None:
        """Add an entry; without `sync` a power cut may take it.

        Raises
        ------
        OSError
            The disk is full or fails.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = msgspec.json.encode(entry) + b"\n"
        with self.path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # a line that was never finished must not spoil this one
                    line = b"\n" + line
            file.write(line)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if size + len(line) > self._most_bytes:
            self._halve()

    def _halve(self) -> None:
        lines = self.path.read_bytes().splitlines(keepends=True)
        kept: list[bytes] = []
        room = self._most_bytes // 2
        for line in reversed(lines):
            room -= len(line)
            if room < 0:
                break
            kept.append(line)
        with replacing(self.path) as file:
            file.writelines(reversed(kept))
