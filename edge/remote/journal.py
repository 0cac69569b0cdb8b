"""A file of JSON lines that grows only at its end, up to a limit."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from edge.atomic_file import replacing, sync_folder
from edge.private_files import make_folder, private
from edge.remote.seal import sealed, unsealed

LOG = logging.getLogger("auscult.remote")

MOST_READ = 64 << 20  # bytes; more than any journal of ours grows to

Entry = TypeVar("Entry")


class Journal(Generic[Entry]):
    """Each entry is one line. Beyond `most_bytes` the older half goes, or all that is not `remembered`.

    A line that is no entry, or is not as it was written (a power cut in the middle of it, a bad card, somebody's editor), is passed over.
    """

    def __init__(
        self, path: Path, *kinds: type[Entry], most_bytes: int = 1_000_000, remembered: Callable[[], Iterable[Entry]] | None = None
    ) -> None:
        """`kinds` are tried in turn on each line. `remembered` gives what must stay, however old; also what was appended last."""
        self.path = path
        self.damaged = 0  # lines that were passed over
        self._kinds = kinds
        self._most_bytes = most_bytes
        self._room = most_bytes  # more than `most_bytes` when more than half of it is remembered
        self._remembered = remembered
        self._is_behind = False  # an entry that is remembered is not in the file

    def read(self) -> list[Entry]:
        """All entries, the oldest first."""
        try:
            with self.path.open("rb") as file:
                lines = file.read(MOST_READ).split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            LOG.error("%s: cannot be read (%s); continuing without it", self.path, error.strerror or error)
            return []
        found = [self._parse(line) for line in lines if line]
        entries = [entry for entry in found if entry is not None]
        self.damaged = len(found) - len(entries)
        if self.damaged:
            LOG.error("%s: damaged; %d of its %d lines are ignored", self.path, self.damaged, len(found))
            self._is_behind = True  # with `remembered` the next entry puts that right
        return entries

    def append(self, entry: Entry, *, sync: bool = True) -> None:
        """Add an entry; without `sync` a power cut may take it.

        Raises
        ------
        OSError
            The disk is full or fails. With `remembered` the next entry that can be written brings this one along.
        """
        was_behind, self._is_behind = self._is_behind, True
        size = self._add(entry, sync)
        if size > self._room or (was_behind and self._remembered is not None):
            self._shorten()
        self._is_behind = False

    def _parse(self, line: bytes) -> Entry | None:
        for kind in self._kinds:
            try:
                return msgspec.json.decode(unsealed(line, self.path.name), type=kind)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                continue
        return None

    def _line(self, entry: Entry) -> bytes:
        return sealed(msgspec.json.encode(entry), self.path.name) + b"\n"

    def _add(self, entry: Entry, sync: bool) -> int:
        """Write the entry at the end; return how long the file is then."""
        make_folder(self.path.parent)
        line = self._line(entry)
        with open(self.path, "ab+", opener=private) as file:  # Path.open has no opener
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # a line that was never finished must not spoil this one
                    line = b"\n" + line
            file.write(line)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if sync and not size:
            sync_folder(self.path.parent)
        return size + len(line)

    def _shorten(self) -> None:
        kept = self._newer_half() if self._remembered is None else [self._line(entry) for entry in self._remembered()]
        with replacing(self.path) as file:
            file.writelines(kept)
        self._room = max(self._most_bytes, 2 * sum(map(len, kept)))

    def _newer_half(self) -> list[bytes]:
        lines = self.path.read_bytes().splitlines(keepends=True)
        kept: list[bytes] = []
        room = self._most_bytes // 2
        for line in reversed(lines):
            room -= len(line)
            if room < 0:
                break
            kept.append(line)
        return kept[::-1]
