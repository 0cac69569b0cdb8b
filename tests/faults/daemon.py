"""The daemon in a process of its own, with two things added that change nothing of what it does:

    python -m tests.faults.daemon CONFIG WALL DESCRIPTOR

* `time.time` is the wall clock plus the seconds in the file WALL (a float64, mapped into memory). Nobody but root may set the clock, and a
  test that did would set it for the whole machine. Everything in this process sees the shifted clock; the kernel and SQLite do not.
* What the listener is told and what it says goes down a pipe; see tests/faults/tap.py.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path


def shift_clock(path: Path) -> None:
    """Have `time.time` follow a file."""
    with path.open("rb") as file:
        shift = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    wall, wall_ns = time.time, time.time_ns
    time.time = lambda: wall() + struct.unpack("d", shift[:8])[0]
    time.time_ns = lambda: wall_ns() + round(1e9 * struct.unpack("d", shift[:8])[0])


def main(config: str, wall: str, descriptor: str) -> int:
    """Run the daemon; its exit code."""
    shift_clock(Path(wall))
    import auscult  # only now: parts of the daemon take their clocks when they are imported
    from tests.faults.tap import tap

    tap(int(descriptor))
    return auscult.main(["run", "--config", config])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
