"""Log lines about what others send: one for each thing, and not too many in all."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

LOG = logging.getLogger("auscult.dashboard")

AGAIN_S = 3600.0  # the same thing is told again after so long
PER_MINUTE = 20
REMEMBERED = 1000
LONGEST = 200  # characters of a line's variable part


class Complaints:
    """Whoever can publish or connect could otherwise fill the journal. From any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: OrderedDict[str, float] = OrderedDict()
        self._minute_s = -60.0
        self._in_minute = 0
        self._unsaid = 0

    def say(self, what: str, problem: str) -> None:
        """Log one line about `what` (a topic, an address), unless that was done within the hour."""
        what = printable(what)  # a topic may have 64 KB, and a thousand are remembered
        with self._lock:
            now_s = self._clock()
            last_s = self._told.get(what)
            if last_s is not None and now_s - last_s < AGAIN_S:
                return
            if now_s - self._minute_s >= 60.0:
                if self._unsaid:
                    LOG.warning("%d more things like these were refused within a minute", self._unsaid)
                self._minute_s, self._in_minute, self._unsaid = now_s, 0, 0
            self._in_minute += 1
            if self._in_minute > PER_MINUTE:
                self._unsaid += 1
                return
            self._told[what] = now_s
            self._told.move_to_end(what)
            while len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
            LOG.warning("%s: %s", what, printable(problem))


def printable(text: str) -> str:
    """As much of a text as may stand in a line of the log: somebody else has written it."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
