"""Commands on their way from the network thread to the worker."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from edge.mqtt.subscription import Delivery
from edge.remote.requests import MAXIMUM_BYTES

LOG = logging.getLogger("auscult.remote")
CAPACITY = 32
BURST = 20  # commands that may come at once
PER_S = 1.0  # and in the long run
TELL_EVERY_S = 60.0


class Inbox:
    """A bounded queue with a bounded rate: of a flood the node only reads the messages. Those beyond are counted and logged."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.dropped = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[Delivery] = deque()
        self._tokens = float(BURST)
        self._filled_s = clock()
        self._told_s: float | None = None

    def put(self, delivery: Delivery) -> None:
        """Take what has come; never waits."""
        with self._lock:
            now_s = self._clock()
            self._tokens = min(float(BURST), self._tokens + PER_S * (now_s - self._filled_s))
            self._filled_s = now_s
            if self._tokens >= 1.0 and len(self._waiting) < CAPACITY:
                self._tokens -= 1.0
                # One byte more than is taken shows that it was too large; the rest would only lie in memory.
                self._waiting.append(replace(delivery, payload=delivery.payload[: MAXIMUM_BYTES + 1]))
                return
            self.dropped += 1
            is_news = self._told_s is None or now_s - self._told_s >= TELL_EVERY_S
            if is_news:
                self._told_s = now_s
        if is_news:
            LOG.warning("commands come too fast (more than %g a second): %d ignored so far, without an answer", PER_S, self.dropped)

    def take(self) -> Delivery | None:
        """The oldest command; None when none waits."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None
