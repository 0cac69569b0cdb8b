from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edge.learning.modest import MOST_BYTES, NICENESS

PROJECT = Path(__file__).parents[3]
TELL = """import os, resource, sys
print(os.nice(0), resource.getrlimit(resource.RLIMIT_DATA)[0], *sys.argv[1:])
"""


def modest(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "told.py").write_text(code)
    command = [sys.executable, "-m", "edge.learning.modest", "told", *arguments]
    return subprocess.run(command, env={"PYTHONPATH": f"{PROJECT}:{folder}"}, capture_output=True, text=True, timeout=60.0, check=False)


def test_modest_program_is_last_in_line_and_has_an_end_to_its_memory(tmp_path: Path) -> None:
    assert modest(tmp_path, TELL, "--store", "x").stdout.split() == [str(NICENESS), str(MOST_BYTES), "--store", "x"]


def test_modest_program_that_wants_too_much_memory_ends_with_an_error(tmp_path: Path) -> None:
    assert modest(tmp_path, f"print(len(bytearray({MOST_BYTES})))").returncode != 0


def test_modest_program_gives_its_own_exit_code(tmp_path: Path) -> None:
    assert modest(tmp_path, "import sys; sys.exit(2)").returncode == 2
