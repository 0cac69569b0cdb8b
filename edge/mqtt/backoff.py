"""How long to wait before the next try."""

from __future__ import annotations

import random


class Backoff:
    """Exponential backoff with full jitter: uniform in [0, min(longest, first * 2^tries)].

    Jitter matters because a site's nodes all lose their broker in the same instant; without it they all come back in the same instant too,
    which is what paho's own `reconnect_delay_set` does.
    """

    def __init__(self, first_s: float = 1.0, longest_s: float = 60.0, rng: random.Random | None = None) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._rng = rng or random.Random()
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait before the next try; the bound doubles with each call."""
        bound_s = min(self._longest_s, self._first_s * 2.0**self._tries)
        if bound_s < self._longest_s:
            self._tries += 1
        return self._rng.uniform(0.0, bound_s)

    def reset(self) -> None:
        """Start again from the shortest wait."""
        self._tries = 0
