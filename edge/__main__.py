"""`python -m edge`: the daemon's commands without `auscult`; `run` if none is named."""

from __future__ import annotations

import sys

import edge.threads  # noqa: F401  # before anything imports numpy
from edge.console.cli import run_room

COMMANDS = {
    "run": "edge.commands.run",
    "score": "edge.commands.score",
    "dashboard": "edge.commands.dashboard",
    "devices": "edge.commands.devices",
    "doctor": "edge.commands.doctor",
    "schema": "edge.commands.schema",
    "setup": "edge.commands.setup",
    "learn": "edge.commands.learn",
}

if __name__ == "__main__":
    sys.exit(run_room(COMMANDS, "run", "edge", sys.argv[1:]))
