"""Events that wait for the broker's acknowledgement."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.mqtt.message import Message

CAPACITY = 1000  # events; some 2 kB each, so a broker that is away for a weekend costs 2 MB


@dataclass(frozen=True, slots=True)
class Entry:
    """A message of the outbox; `number` keeps the order in which messages came."""

    number: int
    message: Message
    entered_s: float  # monotonic


class Outbox:
    """A bounded queue in memory: a message leaves it when the broker has acknowledged it, or when it is the oldest and there is no room.

    Not thread-safe; `Outgoing` holds the lock.
    """

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._clock = clock
        self._waiting: deque[Entry] = deque()
        self._in_flight: dict[int, Entry] = {}
        self._numbers = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Messages not yet acknowledged."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def oldest_age_s(self) -> float | None:
        """Seconds that the oldest message has waited; None when the outbox is empty."""
        entered = [entry.entered_s for entry in self._in_flight.values()]
        if self._waiting:
            entered.append(self._waiting[0].entered_s)
        return self._clock() - min(entered) if entered else None

    def put(self, message: Message) -> None:
        """Add a message; the oldest one that is not in flight makes room and is counted in `dropped`."""
        self._waiting.append(Entry(self._numbers, message, self._clock()))
        self._numbers += 1
        self._trim()

    def take(self) -> Entry | None:
        """Return the next message to send, which is in flight from now on."""
        if not self._waiting:
            return None
        entry = self._waiting.popleft()
        self._in_flight[entry.number] = entry
        return entry

    def acknowledge(self, entry: Entry, *, refused: bool = False) -> None:
        """Forget a message that arrived, or that the broker says it will never take (counted in `dropped`)."""
        if self._in_flight.pop(entry.number, None) is not None and refused:
            self.dropped += 1

    def release(self) -> None:
        """Put everything in flight back in its place: the connection is gone, nobody knows what arrived."""
        for number in sorted(self._in_flight, reverse=True):
            self._waiting.appendleft(self._in_flight.pop(number))
        self._trim()

    def _trim(self) -> None:
        # What is in flight has probably arrived: dropping it would only make the count wrong.
        while len(self) > self._capacity and len(self._waiting) > 1:
            self._waiting.popleft()
            self.dropped += 1
