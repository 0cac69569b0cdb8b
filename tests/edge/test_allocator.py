from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import resource, sys
from edge.allocator import keep_level

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6

if sys.argv[1] == "level":
    keep_level()
del_me = bytearray(30 << 20)
del del_me  # glibc learns that such blocks come and go, and keeps them from now on
before = resident_mb()
large, small = [], []
for _ in range(100):
    large.append(bytearray(b"x" * (512 << 10)))
    small.append(bytearray(2000))
large.clear()
print(resident_mb() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_memory_that_was_freed_between_what_lives_on_is_given_back() -> None:
    # Dask's workers, which other tests start, leave such a setting in the environment.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}

    def grown_mb(mode: str) -> float:
        command = [sys.executable, "-c", PROGRAM, mode]
        return float(subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, timeout=60).stdout)

    assert grown_mb("level") < 5.0
    assert grown_mb("as it is") > 30.0
