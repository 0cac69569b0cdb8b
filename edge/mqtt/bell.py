"""Wakes a thread that waits for a socket."""

from __future__ import annotations

import contextlib
import socket


class Bell:
    """Any thread rings; the one that waits has `reader` among what it waits for."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def ring(self) -> None:
        """Wake the thread; harmless when it is awake, or gone."""
        with contextlib.suppress(OSError):  # full, and then it is about to look; or closed
            self._writer.send(b"\0")

    def silence(self) -> None:
        """Forget how often it rang."""
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(4096):
                pass

    def close(self) -> None:
        """Nobody waits any more."""
        self.reader.close()
        self._writer.close()
