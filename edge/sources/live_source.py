"""What sources have in common whose sound comes whether anybody takes it or not: a ring, what was lost, and when it was heard."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from edge import clock
from edge.audio.block import Block
from edge.audio.ring import Ring
from edge.sources.source import READ_WAIT_S

RING_S = 10.0  # how late inference may be before sound is lost
SHORTEST_BLOCK_S = 0.05
LONGEST_BLOCK_S = 0.5


class LiveSource:
    """A source without its `open`: another thread calls `_hear`, everything else happens in the reader's.

    A source that dies never blocks `read` and never finishes: `stalled_s` grows until somebody closes and opens it again.
    """

    live = True
    finished = False

    def __init__(self, name: str, device: str) -> None:
        self.name = name
        self.device = device
        self.rate_hz = 0
        self.xruns = 0
        self._is_open = False
        self._ring = Ring(1)
        self._dropped_samples = 0  # before they came here, ever
        self._missed_samples = 0  # overwritten in the ring while `skip` was late, ever
        self._told_samples = 0  # of both, handed on as lost
        self._heard_at_s = 0.0  # when something last came, or the source was opened
        self._silent_since_s: float | None = None  # when something last came before the source was closed
        self._newest: tuple[int, float | None] = (0, None)  # how many samples of the ring had come, and when (`edge.clock.now_s`), if known

    def _prepare(self, rate_hz: int) -> Ring:
        """The ring of a stream that is about to begin."""
        self.rate_hz = rate_hz
        self._heard_at_s = time.monotonic()
        self._newest = (0, None)
        self._ring = Ring(round(RING_S * rate_hz))
        return self._ring

    def _begin(self, opened_at_s: float) -> None:
        """It has begun. After a `close`, what was said in between counts as lost."""
        self._is_open = True
        if self._silent_since_s is not None:
            self._dropped_samples += round((opened_at_s - self._silent_since_s) * self.rate_hz)

    def _hear(self, ring: Ring, samples: NDArray[np.float32], *, is_broken: bool = False, is_newest: bool = True) -> None:
        """Samples (samples,) came; `is_broken` says that something before them is gone, and `is_newest` that they were heard just now."""
        if ring is not self._ring:
            return  # of a stream that hung while it was closed, awake again
        ring.write(samples)
        now_s = time.monotonic()
        if is_broken:  # as long as nothing came
            self.xruns += 1
            self._dropped_samples += max(1, round((now_s - self._heard_at_s) * self.rate_hz) - len(samples))
        self._heard_at_s = now_s
        self._newest = (ring.end, clock.now_s() if is_newest else None)

    @property
    def ready(self) -> bool:
        """Whether `read` would come back at once."""
        return self._is_open and self._ring.available >= self.rate_hz * SHORTEST_BLOCK_S

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that came and were not read yet."""
        return self._ring.available / self.rate_hz if self.rate_hz else 0.0

    def skip(self, samples: int) -> int:
        """Throw away the oldest that waits, so many samples at most; return how many they were."""
        reading = self._ring.read(samples)
        self._missed_samples += reading.lost
        return len(reading.samples)

    def read(self) -> Block | None:
        """What has come, between `SHORTEST_BLOCK_S` and `LONGEST_BLOCK_S` when sound flows; None when there is nothing."""
        deadline_s = time.monotonic() + READ_WAIT_S
        while not self.ready and time.monotonic() < deadline_s:
            time.sleep(SHORTEST_BLOCK_S / 2)
        come, come_at_s = self._newest
        reading = self._ring.read(round(LONGEST_BLOCK_S * self.rate_hz))
        lost = self._dropped_samples + self._missed_samples
        lost, self._told_samples = reading.lost + lost - self._told_samples, lost
        if not len(reading.samples) and not lost:
            return None
        last = reading.start + len(reading.samples)
        return Block(reading.samples, lost, None if come_at_s is None else come_at_s - (come - last) / self.rate_hz)

    @property
    def stalled_s(self) -> float:
        """Seconds since the source last gave sound; 0 while it is closed."""
        return time.monotonic() - self._heard_at_s if self._is_open else 0.0

    def close(self) -> None:
        """Stop; what has not been read is dropped. Returns within seconds even when the source hangs."""
        if not self._is_open:
            return
        self._silent_since_s = self._heard_at_s
        self._is_open = False
        self._release()
        self._dropped_samples += self._ring.available
        self._ring = Ring(1)

    def _release(self) -> None:
        """Give back what `open` took."""
        raise NotImplementedError
