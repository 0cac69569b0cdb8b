"""Keep what libraries write to stderr from the user, who gets Auscult's own message instead."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def without_stderr() -> Iterator[None]:
    """Send all that is written to the file descriptor to nowhere, by whatever thread: only where a program starts."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


class CStderr:
    """The C library's variable `stderr`, to which C libraries print. Python writes to the file descriptor, and so it still appears.

    It is one for all threads: while any of them is in `silenced`, what any C library prints goes nowhere.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silencing = 0  # threads
        self._variable, self._nowhere = _c_stderr()
        self._kept = self._variable.value

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Send what C libraries print to nowhere."""
        with self._lock:
            if not self._silencing:
                self._kept, self._variable.value = self._variable.value, self._nowhere
            self._silencing += 1
        try:
            yield
        finally:
            with self._lock:
                self._silencing -= 1
                if not self._silencing:
                    self._variable.value = self._kept


@functools.cache
def c_stderr() -> CStderr:
    """Return the one of this process."""
    return CStderr()


def _c_stderr() -> tuple[ctypes.c_void_p, int | None]:
    """Return the variable and a stream that goes nowhere; where the C library's cannot be changed, a variable that nobody prints to."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  # other C libraries keep the variable in read-only memory
        library.fopen.restype = ctypes.c_void_p
        if nowhere := library.fopen(os.devnull.encode(), b"w"):
            return ctypes.c_void_p.in_dll(library, "stderr"), nowhere
    except (AttributeError, OSError, TypeError, ValueError):
        pass
    return ctypes.c_void_p(), None
