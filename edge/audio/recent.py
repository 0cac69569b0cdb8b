"""The last seconds of a stream, kept for a listener that takes over in mid-stream, and for clips."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Recent:
    """Recent sound and gaps, in order. Positions are native samples since the stream began. One thread adds, another reads."""

    def __init__(self, capacity: int) -> None:
        """At least `capacity` samples are kept, and all that was known when the newest part came, however long a gap that is."""
        self.capacity = capacity
        self._lock = threading.Lock()
        self._parts: deque[tuple[int, Float32 | int]] = deque()  # (where it begins, samples (n,) or how many were lost)
        self._end = 0

    @property
    def end(self) -> int:
        """The position after the newest sample: how many were received or lost in all."""
        return self._end

    def add(self, part: Float32 | int) -> None:
        """Add samples, shape = (n,) float32, or a number of lost ones."""
        length = part if isinstance(part, int) else len(part)
        if not isinstance(part, int):
            part = part.copy()  # it may be one channel of many, and would keep the others
        with self._lock:
            # Before the new part counts: a gap of hours ends events, and their clips take the sound before it once it has come.
            while len(self._parts) > 1 and self._parts[1][0] <= self._end - self.capacity:
                self._parts.popleft()
            self._parts.append((self._end, part))
            self._end += length

    def since(self, position: int) -> tuple[int, list[Float32 | int]]:
        """Return the position from which on it is still known, `position` or later, and what came from there on."""
        with self._lock:
            parts = list(self._parts)
        if not parts or position < parts[0][0]:
            return (parts[0][0], [part for _, part in parts]) if parts else (position, [])
        known: list[Float32 | int] = []
        for start, part in parts:
            skipped = max(0, position - start)
            if isinstance(part, int):
                if part > skipped:
                    known.append(part - skipped)
            elif len(part) > skipped:
                known.append(part[skipped:])
        return position, known
