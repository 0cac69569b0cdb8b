"""A command in a process of its own, with what it wrote and the most memory that it had."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADDRESS_MB = 4096  # more than anything that works reserves, and less than would hurt the machine
# The kernel's own ru_maxrss would begin with what the parent had.
PROGRAM = f"""
import atexit, pathlib, resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_MB} << 20, {ADDRESS_MB} << 20))
peak = pathlib.Path(sys.argv.pop(1))
def tell():
    status = pathlib.Path("/proc/self/status").read_text()
    peak.write_text(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
atexit.register(tell)
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """How it ended."""

    code: int
    stdout: str
    stderr: str
    peak_mb: float


def measured(folder: Path, *arguments: str, module: str = "edge", limit_s: float = 60.0) -> Measured:
    """Run `python -m edge ...`, or another module; it must end in time. `folder` is for what is measured."""
    peak = folder / "peak"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(peak), module, *arguments],
        capture_output=True, text=True, timeout=limit_s, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    return Measured(done.returncode, done.stdout, done.stderr, int(peak.read_text()) / 1024)
