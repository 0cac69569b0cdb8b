"""A disk that loses power, for files that are written whole, appended to and renamed.

What is synced, renamed and deleted is noted as it happens. Of the rest a disk may hold any part: of what was written to a file since its
last sync any sectors, and of what was done to names in a folder since its last sync the first few, in their order, as journaling file
systems keep them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.edge.outbox.crash import Image, torn

Names = dict[str, int]  # inode by name, relative to the folder


@dataclass(slots=True)
class RecordedDisk:
    """One folder, in which one thread writes."""

    folder: Path
    rng: random.Random
    synced: dict[int, bytes] = field(default_factory=dict)  # by inode: what is on the disk for certain
    seen: dict[int, bytes] = field(default_factory=dict)  # by inode: what was written last
    names: list[Names] = field(default_factory=lambda: [{}])  # that the disk may have; the first for certain
    held: list[BinaryIO] = field(default_factory=list)
    moments: list[Image] = field(default_factory=list)  # what crashes would have left

    @contextmanager
    def recording(self, monkeypatch: pytest.MonkeyPatch, most: int) -> Iterator[None]:
        """Let something happen to the folder, with up to `most` crashes after each of its steps."""
        fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

        def noted_fsync(descriptor: int) -> None:
            self._look()
            fsync(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_dir():
                self._sync_names(path)
            else:
                self.synced[os.fstat(descriptor).st_ino] = path.read_bytes()
            self.crash(most)

        def noted_replace(path: Path, target: Path) -> Path:
            self._look()
            found = replace(path, target)
            self.crash(most)
            return found

        def noted_unlink(path: Path, missing_ok: bool = False) -> None:
            self._look()
            unlink(path, missing_ok)
            self.crash(most)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", noted_fsync)
            patch.setattr(Path, "replace", noted_replace)
            patch.setattr(Path, "unlink", noted_unlink)
            yield

    def crash(self, most: int) -> None:
        """The power goes now, in as many ways."""
        self._look()
        for _ in range(most):
            names = self.rng.choice(self.names)
            left = {}
            for name, inode in names.items():
                before, after = self.synced.get(inode, b""), self.seen[inode]
                left[name] = after if before == after else self.rng.choice([before, after, torn(before, after, self.rng)])
            self.moments.append(left)

    def close(self) -> None:
        """Let go of all files."""
        for file in self.held:
            file.close()

    def taken(self) -> list[Image]:
        """The crashes since this was asked last."""
        moments, self.moments = self.moments, []
        return moments

    def _look(self) -> None:
        """See what the files hold now."""
        names: Names = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                inode = path.stat().st_ino
                names[str(path.relative_to(self.folder))] = inode
                if inode not in self.seen:
                    self.held.append(path.open("rb"))  # so that its number is given to no other file
                self.seen[inode] = path.read_bytes()
        if names != self.names[-1]:
            self.names.append(names)

    def _sync_names(self, folder: Path) -> None:
        """All that was done in this folder is on the disk; of others nothing more than before."""

        def inside(names: Names) -> Names:
            return {name: inode for name, inode in names.items() if (self.folder / name).parent == folder}

        here = inside(self.names[-1])
        merged = [{**{name: inode for name, inode in names.items() if name not in inside(names)}, **here} for names in self.names]
        self.names = [names for at, names in enumerate(merged) if at == 0 or names != merged[at - 1]]
