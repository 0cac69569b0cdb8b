"""Keeps a source open: opens it, and opens it again after each failure."""

from __future__ import annotations

import logging
import time

from edge.errors import DeviceError
from edge.mqtt.backoff import Backoff
from edge.node.opening import Opening
from edge.sources.source import Source

LOG = logging.getLogger("auscult.source")
OPEN_WAIT_S = 10.0  # for a device that is slow to open when the daemon starts
RETRY_FIRST_S = 1.0
RETRY_LONGEST_S = 30.0
LASTING_S = 60.0  # a source that works for this long has got over what was wrong: longer than the wait, and than a window


class SourceKeeper:
    """The source is open, being opened, or waits to be tried again: `problem` says why. Nothing here waits but `open`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._opening: Opening | None = None
        self._retry_at_s: float | None = None
        self._opened_s = 0.0  # when it was last opened
        self._told = ""
        self.problem = ""
        self.fault = ""  # the last unexpected error, until the source has worked for a while

    @property
    def is_open(self) -> bool:
        """Whether the source can be read."""
        return self._opening is None and self._retry_at_s is None

    def open(self) -> bool:
        """Open it for the first time; return whether that worked. A device that hangs is waited for later.

        Raises
        ------
        AudioError : see the source's `open`; a device that fails is no error, it is tried again
        """
        self._opening = Opening(self._source)
        if not self._opening.wait(OPEN_WAIT_S):
            self.problem = f"{self._source.device} does not answer"
            LOG.warning("%s: %s; waiting for it", self._source.name, self.problem)
        return self._settled()

    def open_later(self) -> None:
        """Open it for the first time without waiting; `poll` says when it is open. For devices, which are tried again when they fail."""
        self._opening = Opening(self._source)

    def poll(self) -> bool:
        """Try again when it is time; return whether the source has just been opened."""
        if self._retry_at_s is not None and time.monotonic() >= self._retry_at_s:
            self._retry_at_s = None
            self._opening = Opening(self._source)
        return self._opening is not None and self._settled()

    def _settled(self) -> bool:
        opening = self._opening
        if opening is None or not opening.is_over:
            return False
        self._opening = None
        try:
            opening.check()
        except DeviceError as error:
            self.give_up(str(error))
            return False
        self._opened_s = time.monotonic()
        return True

    def give_up(self, problem: str, error: Exception | None = None) -> None:
        """The open source is of no use: close it and try again after a while, which grows with each time.

        `error` is one that nobody foresaw: its traceback is logged.
        """
        self.problem = problem
        if error is not None:
            self.fault = problem
        if self._opening is None:  # else it is being tried again
            self._retry_at_s = time.monotonic() + self._backoff.next_s()
            self._close()
        # A microphone that stays unplugged should not fill the journal: one line per cause, the repetitions at debug level.
        level = logging.DEBUG if problem == self._told else logging.WARNING if error is None else logging.ERROR
        self._told = problem
        LOG.log(level, "%s: %s; trying again, every %.0f s at the latest", self._source.name, problem, RETRY_LONGEST_S, exc_info=error)

    def _close(self) -> None:
        try:
            self._source.close()
        except Exception:  # of whatever kind: it is not needed any more
            LOG.exception("%s: could not be closed", self._source.name)

    def works(self) -> None:
        """Plausible sound has arrived. The problem is over if that lasts; until then it is not logged again, nor the wait restarted."""
        self.problem = ""
        if self._told and time.monotonic() - self._opened_s >= LASTING_S:
            self._told = self.fault = ""
            self._backoff.reset()

    def close(self) -> None:
        """Close the source finally; one that is being opened is closed when that is over, without waiting for it."""
        if self._opening is None:
            self._close()
        else:
            self._opening.abandon()
