"""Sound of one source that was not scored: counted, and logged without filling the journal."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

LOG = logging.getLogger("auscult.source")
TELL_EVERY_S = 60.0


class Losses:
    """Adds up lost sound, and the part of it that was shed because the worker could not keep up."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`name` is the source's."""
        self.lost_s = 0.0
        self.shed_s = 0.0
        self._name = name
        self._clock = clock
        self._told_s: dict[str, float] = {}  # cause -> when it was last logged
        self._untold_s: dict[str, float] = {}
        self._shed: deque[tuple[float, float]] = deque()  # (when, seconds) of the last minute

    def lost(self, seconds: float) -> None:
        """The device, the system or an outage lost so much."""
        self.lost_s += seconds
        self._tell("%s: %.2f s of sound were lost", seconds)

    def away(self, seconds: float) -> None:
        """The device has been away for longer; its absence was logged when it began."""
        self.lost_s += seconds

    def shed(self, seconds: float) -> None:
        """So much was left out because it waited for too long."""
        self.lost_s += seconds
        self.shed_s += seconds
        self._shed.append((self._clock(), seconds))
        self._tell("%s: inference is slower than the sound; %.2f s were left out (see throttled and inference_p95_ms in health)", seconds)

    @property
    def shed_lately_s(self) -> float:
        """How much of the last minute was left out because it waited for too long."""
        while self._shed and self._clock() - self._shed[0][0] > TELL_EVERY_S:
            self._shed.popleft()
        return sum(seconds for _, seconds in self._shed)

    def _tell(self, cause: str, seconds: float) -> None:
        """One line at once, and then the sum once a minute: a board that is too slow loses some sound every few seconds."""
        untold_s = self._untold_s.get(cause, 0.0) + seconds
        now_s = self._clock()
        if now_s - self._told_s.get(cause, -TELL_EVERY_S) < TELL_EVERY_S:
            self._untold_s[cause] = untold_s
            return
        self._told_s[cause] = now_s
        self._untold_s[cause] = 0.0
        LOG.warning(cause, self._name, untold_s)
