"""A disk for the outbox that can be filled up or made to fail, with what this user is permitted to do."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from pathlib import Path

DISK_BYTES = 16 << 20  # SQLite's log alone grows to 4 MB


def may_mount() -> bool:
    """Whether this user may mount a tmpfs."""
    with tempfile.TemporaryDirectory() as folder:
        if not _mount(Path(folder)):
            return False
        subprocess.run(["umount", folder], check=True)
        return True


def _mount(folder: Path) -> bool:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "auscult-faults", str(folder)]
    return os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0


class Disk:
    """A folder: on a tmpfs of its own if we may mount one, else an ordinary one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.may_fill = _mount(folder)
        self._ballast = folder / "ballast"

    @property
    def description(self) -> str:
        """What `fill` does here."""
        return "a full tmpfs (ENOSPC)" if self.may_fill else "files that may not grow (EFBIG): mounting is not permitted here"

    def fill(self, daemon: int) -> None:
        """Take all space; where there is no disk of our own, forbid the process `daemon` to write into files."""
        if not self.may_fill:
            self._limit(daemon, 0)
            return
        with self._ballast.open("wb", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2

    def free(self, daemon: int) -> None:
        """There is room again."""
        if self.may_fill:
            self._ballast.unlink()
        else:
            self._limit(daemon, resource.RLIM_INFINITY)

    def protect(self, against_writing: bool) -> None:
        """Make it read-only, or take that back; only a disk of our own, to which nobody writes."""
        mode = "ro" if against_writing else "rw"
        subprocess.run(["mount", "-o", f"remount,{mode}", self.folder], check=True)

    def close(self) -> None:
        """Take it away."""
        if self.may_fill:
            subprocess.run(["umount", "-l", self.folder], check=False)

    @staticmethod
    def _limit(process: int, limit: int) -> None:
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        soft = hard if limit == resource.RLIM_INFINITY else limit
        resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))
