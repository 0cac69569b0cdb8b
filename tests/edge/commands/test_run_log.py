"""The log of `auscult run` while a microphone is being opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
PROGRAM = """
import logging, os
from edge.console.log import configure_logging
configure_logging("info")
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # as sounddevice does while PortAudio starts
logging.getLogger("auscult").info("a line of another thread")
"""


def test_log_is_not_lost_while_standard_error_points_elsewhere() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=30.0)
    assert done.stderr.endswith("INFO auscult: a line of another thread\n")
