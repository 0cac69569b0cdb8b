"""A ring of samples between a producer that must never wait and a consumer that may be late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reading:
    """What the consumer got: `samples` begin at the absolute position `start`, right after `lost` overwritten ones."""

    start: int
    samples: NDArray[np.float32]  # (samples,) or (samples, channels), the reader's own copy
    lost: int


class Ring:
    """The last `capacity` samples of an endless stream; positions count from its first sample and never wrap.

    One thread writes and one reads, without a lock, because the writer is an audio callback: it only copies into memory that
    exists already. It moves `_claimed` before it touches the samples and `_end` after, so the reader knows which samples
    were whole while it copied them, and counts the others as lost. (CPython makes each of these assignments visible in order.)
    """

    def __init__(self, capacity: int, channels: int | None = None) -> None:
        """Allocate everything now. `channels` None holds mono, (samples,); else (samples, channels)."""
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self._data: NDArray[np.float32] = np.zeros(capacity if channels is None else (capacity, channels), np.float32)
        self._claimed = 0  # the writer may be changing everything up to here
        self._end = 0  # everything before this has been written
        self._position = 0  # the reader's next sample

    @property
    def capacity(self) -> int:
        """How many samples it holds."""
        return len(self._data)

    @property
    def end(self) -> int:
        """How many samples have ever been written."""
        return self._end

    @property
    def available(self) -> int:
        """How many samples a read would return now."""
        return min(max(self._end - self._position, 0), self.capacity)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append samples of the ring's shape; the oldest make room. For the one producer."""
        end = self._end + len(samples)
        self._claimed = end
        kept = samples[max(0, len(samples) - self.capacity) :]
        at = (end - len(kept)) % self.capacity
        before_wrap = min(len(kept), self.capacity - at)
        self._data[at : at + before_wrap] = kept[:before_wrap]
        self._data[: len(kept) - before_wrap] = kept[before_wrap:]
        self._end = end

    def read(self, limit: int | None = None) -> Reading:
        """Take the oldest samples that are still there, at most `limit`. For the one consumer; never waits."""
        end = self._end
        start = max(self._position, self._claimed - self.capacity)
        stop = max(start, end if limit is None else min(end, start + limit))
        samples = self._copy(start, stop)
        overwritten = min(max(0, self._claimed - self.capacity - start), len(samples))  # while we copied
        start += overwritten
        lost = start - self._position
        self._position = stop
        return Reading(start, samples[overwritten:], lost)

    def _copy(self, start: int, stop: int) -> NDArray[np.float32]:
        at = start % self.capacity
        before_wrap = min(stop - start, self.capacity - at)
        rest = stop - start - before_wrap
        return np.concatenate((self._data[at : at + before_wrap], self._data[:rest]))
