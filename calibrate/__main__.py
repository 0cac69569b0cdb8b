"""`python -m calibrate`: calibration's commands without `auscult`; `calibrate` if none is named."""

from __future__ import annotations

import sys

import edge.threads  # noqa: F401  # before anything imports numpy
from edge.console.cli import run_room

COMMANDS = {
    "calibrate": "calibrate.commands.calibrate",
    "record": "calibrate.commands.record",
    "evaluate": "calibrate.commands.evaluate",
    "demo": "calibrate.commands.demo",
}

if __name__ == "__main__":
    sys.exit(run_room(COMMANDS, "calibrate", "calibrate", sys.argv[1:]))
