"""Runs another module as a program that gets in nobody's way: last in line for the processor, and with an end to its memory, if it may.

python -m edge.learning.modest calibrate --store DIR --output B.auscult
"""

from __future__ import annotations

import contextlib
import os
import resource
import runpy
import sys

MOST_BYTES = 1 << 30  # of memory that it may ask for; a store of a month takes half of it
NICENESS = 19

if __name__ == "__main__":
    with contextlib.suppress(OSError):  # the service's filter of system calls may forbid it
        os.nice(NICENESS)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
