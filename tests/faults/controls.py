"""What the drill does to the daemon from outside: a few numbers in a file that both have mapped."""

from __future__ import annotations

import mmap
import os
import sqlite3
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

_FIELDS = ("clock_shift_s", "disk_delay_s", "short_source")
_FORMAT = "ddd"


class Controls:
    """What is set at the moment.

    `clock_shift_s` is added to the wall clock; `disk_delay_s` is what each sync takes; `short_source` is the number, from 1 on, of the
    source that is to run out of memory once (tests/faults/tap.py).
    """

    def __init__(self, path: Path) -> None:
        """The file is made when there is none."""
        self.path = path
        if not path.exists():
            path.write_bytes(struct.pack(_FORMAT, *([0.0] * len(_FIELDS))))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * len(_FIELDS))

    def get(self, name: str) -> float:
        """Return a number."""
        return float(struct.unpack_from("d", self._map, 8 * _FIELDS.index(name))[0])

    def set(self, name: str, value: float) -> None:
        """Set it."""
        struct.pack_into("d", self._map, 8 * _FIELDS.index(name), value)

    def impose(self) -> None:
        """Have this process obey; to be called before anything of the daemon is imported.

        The clock: nobody but root may set the real one, and a test that did would set it for the whole machine. Everything in this process
        sees the shifted clock; the kernel and SQLite do not. The disk: each sync, and each commit of SQLite, takes so much longer.
        """
        wall, wall_ns, connect = time.time, time.time_ns, sqlite3.connect

        def slow() -> None:
            if delay_s := self.get("disk_delay_s"):
                time.sleep(delay_s)

        def slowed(sync: Callable[[int], None]) -> Callable[[int], None]:
            def synced(descriptor: int) -> None:
                slow()
                sync(descriptor)

            return synced

        def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_trace_callback(lambda statement: slow() if statement.startswith("COMMIT") else None)
            return connection

        patch.object(time, "time", lambda: wall() + self.get("clock_shift_s")).start()
        patch.object(time, "time_ns", lambda: wall_ns() + round(1e9 * self.get("clock_shift_s"))).start()
        patch.object(os, "fsync", slowed(os.fsync)).start()
        patch.object(os, "fdatasync", slowed(os.fdatasync)).start()
        patch.object(sqlite3, "connect", connected).start()
