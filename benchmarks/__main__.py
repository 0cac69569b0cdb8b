"""`python -m benchmarks`: `auscult benchmark` without `auscult`."""

from __future__ import annotations

import sys

import edge.threads  # noqa: F401  # before anything imports numpy
from edge.console.cli import run_room

COMMANDS = {"benchmark": "benchmarks.commands.benchmark"}

if __name__ == "__main__":
    sys.exit(run_room(COMMANDS, "benchmark", "benchmarks", sys.argv[1:]))
