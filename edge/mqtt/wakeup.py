"""Wakes a thread that waits for a socket."""

from __future__ import annotations

import contextlib
import socket


class Wakeup:
    """Any thread wakes another; the one that waits has `reader` among what it waits for."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def wake(self) -> None:
        """Wake the thread; harmless when it is awake, or gone."""
        with contextlib.suppress(OSError):  # full, and then it is about to look; or closed
            self._writer.send(b"\0")

    def drain(self) -> None:
        """Forget how often somebody has called `wake`."""
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(4096):
                pass

    def close(self) -> None:
        """Nobody waits any more."""
        self.reader.close()
        self._writer.close()
