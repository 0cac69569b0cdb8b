"""Whether we run in a terminal: SIGHUP means two things, and only one of them is `reload`."""

from __future__ import annotations

import os


def has_terminal() -> bool:
    """Whether the process has an open terminal; a service has none, and one that was closed sends SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
