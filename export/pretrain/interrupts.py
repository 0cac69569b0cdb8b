"""Ctrl-C between two steps, never within one: half a step could not be resumed exactly."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupts:
    """Remembers a request to stop."""

    def __init__(self) -> None:
        self._wanted = False

    def want(self, *_: object) -> None:
        """Somebody does; as a signal handler it takes the signal and the frame."""
        self._wanted = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was a request to stop."""
        if self._wanted:
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupts() -> Iterator[Interrupts]:
    """Hold back SIGINT and SIGTERM until `check` is called, or until the end. A second thread gets no signals, so there it does nothing."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.signal(number, interrupts.want) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
