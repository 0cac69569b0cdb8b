"""`python -m export`: `auscult export` without the front door."""

from __future__ import annotations

import sys

import edge.threads  # noqa: F401  # before anything imports numpy
from edge.console.cli import run_room

COMMANDS = {"export": "export.commands.export", "pretrain": "export.commands.pretrain"}

if __name__ == "__main__":
    sys.exit(run_room(COMMANDS, "export", "export", sys.argv[1:]))
