"""A separate thread opens each source: a driver or sound server that hangs must not stop the other sources."""

from __future__ import annotations

import threading

from edge.sources.source import Source


class Opening:
    """One attempt to open a source. Until it is over, nothing else may use the source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._has_come_back = self._is_abandoned = False
        # A daemon thread: one that hangs for ever must not keep the process.
        self._thread = threading.Thread(target=self._open, name=f"open-{source.name}", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        try:
            self._source.open()
        except Exception as error:  # raised again where it can be dealt with
            self._error = error
        with self._lock:
            self._has_come_back = True
            is_abandoned = self._is_abandoned
        if is_abandoned:
            self._source.close()

    def abandon(self) -> None:
        """Nobody wants the source any more: it is closed, at the latest when `open` comes back after all. Does not wait for that."""
        with self._lock:
            self._is_abandoned = True
            has_come_back = self._has_come_back
        if has_come_back:
            self._source.close()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is over, `timeout_s` at most; return whether it is."""
        self._thread.join(timeout_s)
        return self.is_over

    @property
    def is_over(self) -> bool:
        """Whether it has worked or failed."""
        return not self._thread.is_alive()

    def check(self) -> None:
        """Raise what `open` raised, if it did."""
        if self._error is not None:
            raise self._error
