"""Threads that we do not wait for: a driver, a name look-up or a network drive that does not answer blocks them."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress

LOG = logging.getLogger("auscult")
WAIT_S = 3.0  # for all of them together: one that was asked to end may be in the middle of an inference


def stragglers(others: Collection[threading.Thread] = (), wait_s: float = WAIT_S) -> list[str]:
    """Wait at most `wait_s` for the daemon threads of this process but `others`; return the names of those that are still at work."""
    # Not its subclasses: threads of PortAudio, which look like threads of Python once they have called it, cannot be joined.
    plain = [thread for thread in threading.enumerate() if type(thread) is threading.Thread and thread.daemon]
    threads = [thread for thread in plain if thread not in others]
    ends_s = time.monotonic() + wait_s
    for thread in threads:
        thread.join(max(0.0, ends_s - time.monotonic()))
    return sorted(thread.name for thread in threads if thread.is_alive())


def leave(code: int, others: Collection[threading.Thread] = (), wait_s: float = WAIT_S) -> int:
    """Return `code`; but while a thread is left behind that is none of `others`, end the process with it here.

    Python ends a thread that comes back to it from C++ after the interpreter is gone in a way that aborts the whole process, and the exit
    code would be that of a crash. To be called last, when everything else is closed.
    """
    left = stragglers(others, wait_s)
    if not left:
        return code
    LOG.warning("not waited for, because they do not end: %s", ", ".join(left))
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as it is when the shell closed it
            with suppress(OSError):
                stream.flush()
    os._exit(code)
