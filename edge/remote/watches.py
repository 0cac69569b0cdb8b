"""Which sources somebody watches, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable


class Watches:
    """Not kept across restarts: clients that still watch send the command again."""

    def __init__(self, now: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._now = now
        self._wall = wall
        self._until_s: dict[str, float] = {}  # by source

    def set(self, source: str, seconds: float) -> None:
        """Watch a source for at least this long; 0 ends it. A shorter watch does not shorten one that is under way."""
        if seconds > 0.0:
            self._until_s[source] = max(self._until_s.get(source, 0.0), self._now() + seconds)
        else:
            self._until_s.pop(source, None)

    def is_watched(self, source: str) -> bool:
        """Whether somebody watches a source now."""
        if source not in self._until_s:
            return False
        if self._now() < self._until_s[source]:
            return True
        del self._until_s[source]
        return False

    def until_s(self, source: str) -> float | None:
        """When the watch ends, in seconds since 1970; None when nobody watches."""
        return self._wall() + self._until_s[source] - self._now() if self.is_watched(source) else None
