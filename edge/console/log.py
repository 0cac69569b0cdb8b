"""The log: lines on standard error."""

from __future__ import annotations

import logging
import os
import sys
from typing import IO


def configure_logging(level: str) -> None:
    """Log to stderr, one line each; under systemd the journal adds the time, but a terminal or a container does not."""
    logging.basicConfig(
        stream=_log_stream(),
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        force=True,
    )


def _log_stream() -> IO[str] | None:
    """Standard error, by a descriptor of our own.

    sounddevice points descriptor 2 at /dev/null while PortAudio starts, which is whenever a microphone is opened: lines of other threads
    would be lost.
    """
    stream, is_ours = sys.stderr, sys.stderr is sys.__stderr__
    if stream is None or not is_ours:  # closed by the shell, or somebody else's
        return stream
    try:
        return os.fdopen(os.dup(stream.fileno()), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return stream
