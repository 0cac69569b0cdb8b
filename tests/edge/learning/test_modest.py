from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from edge.learning.modest import MOST_BYTES, NICENESS
from tests.restricted import MACHINE

PROJECT = Path(__file__).parents[3]
TELL = """import os, resource, sys
print(os.nice(0), resource.getrlimit(resource.RLIMIT_DATA)[0], *sys.argv[1:])
"""


def modest(folder: Path, code: str, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    (folder / "told.py").write_text(code)
    command = [*before, sys.executable, "-m", "edge.learning.modest", "told", *arguments]
    return subprocess.run(command, env={"PYTHONPATH": f"{PROJECT}:{folder}"}, capture_output=True, text=True, timeout=60.0, check=False)


def test_modest_program_is_last_in_line_and_has_an_end_to_its_memory(tmp_path: Path) -> None:
    assert modest(tmp_path, TELL, "--store", "x").stdout.split() == [str(NICENESS), str(MOST_BYTES), "--store", "x"]


def test_modest_program_that_wants_too_much_memory_ends_with_an_error(tmp_path: Path) -> None:
    assert modest(tmp_path, f"print(len(bytearray({MOST_BYTES})))").returncode != 0


def test_modest_program_gives_its_own_exit_code(tmp_path: Path) -> None:
    assert modest(tmp_path, "import sys; sys.exit(2)").returncode == 2


@pytest.mark.skipif(platform.machine() != MACHINE, reason="the numbers of system calls are those of x86-64")
def test_modest_program_in_the_service_has_an_end_to_its_memory_and_goes_on_although_its_priority_stays(tmp_path: Path) -> None:
    done = modest(tmp_path, TELL.replace("os.nice(0)", "os.getpriority(0, 0)"), before=(sys.executable, "-m", "tests.restricted"))
    assert done.stdout.split() == [str(os.getpriority(os.PRIO_PROCESS, 0)), str(MOST_BYTES)], done.stderr
