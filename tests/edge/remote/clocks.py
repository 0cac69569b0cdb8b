"""Time that a test moves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Clocks:
    """The clock that nobody sets, and the one on the wall."""

    now_s: float = 1000.0
    wall_s: float = 1_763_700_000.0

    def now(self) -> float:
        """Like `edge.clock.now_s`."""
        return self.now_s

    def wall(self) -> float:
        """Like `time.time`."""
        return self.wall_s

    def pass_by(self, seconds: float) -> None:
        """Both go on."""
        self.now_s += seconds
        self.wall_s += seconds
