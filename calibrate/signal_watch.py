"""Problems of a recording that a person should know about while it can still be repeated."""

from __future__ import annotations

import math

from edge.audio.level_meter import SILENT_DBFS, Level

CLIPPED_FRACTION = 1e-4  # of a second: five samples at 48 kHz; a machine that knocks may touch full scale once
DEAD_AFTER_S = 2
SILENT_AFTER_S = 5
AGAIN_AFTER_S = 60  # the same warning is not repeated sooner


class SignalWatch:
    """Follows a stream's levels, one per second, and warns of clipping, silence and a dead channel."""

    def __init__(self) -> None:
        self.clipped_s = 0
        self.silent_s = 0
        self.dead_s = 0
        self.peak_dbfs: float | None = None
        self._power = 0.0
        self._seconds = 0
        self._silent_run_s = 0
        self._dead_run_s = 0
        self._warned_at_s: dict[str, int] = {}

    @property
    def dbfs(self) -> float | None:
        """RMS level of everything so far; None without any signal."""
        return 10 * math.log10(self._power / self._seconds) if self._power else None

    def push(self, level: Level) -> list[str]:
        """Take one second; returns the warnings that are due."""
        self._seconds += 1
        if level.dbfs is not None:
            self._power += 10 ** (level.dbfs / 10)
        if level.peak_dbfs is not None:
            self.peak_dbfs = level.peak_dbfs if self.peak_dbfs is None else max(self.peak_dbfs, level.peak_dbfs)
        silent = level.dbfs is not None and level.dbfs < SILENT_DBFS
        clipped = level.clipped_fraction >= CLIPPED_FRACTION
        self._dead_run_s = self._dead_run_s + 1 if level.dead else 0
        self._silent_run_s = self._silent_run_s + 1 if silent else 0
        self.dead_s += level.dead
        self.silent_s += silent
        self.clipped_s += clipped
        return [
            *self._warn(clipped, f"clipping: {level.clipped_fraction:.2%} of the last second is at full scale; turn the gain down"),
            *self._warn(self._dead_run_s >= DEAD_AFTER_S, "dead channel: every sample is the same; muted, unplugged or the wrong one?"),
            *self._warn(self._silent_run_s >= SILENT_AFTER_S, f"silence: below {SILENT_DBFS:.0f} dBFS; is the machine on and the gain up?"),
        ]

    def _warn(self, due: bool, warning: str) -> list[str]:
        kind = warning.partition(":")[0]
        if not due or self._seconds - self._warned_at_s.get(kind, -AGAIN_AFTER_S) < AGAIN_AFTER_S:
            return []
        self._warned_at_s[kind] = self._seconds
        return [warning]

    def verdict(self) -> list[str]:
        """What is wrong with the recording as a whole, one line each."""
        return [
            f"{what} in {seconds} of {self._seconds} s"
            for what, seconds in (("clipping", self.clipped_s), ("dead channel", self.dead_s), ("silence", self.silent_s))
            if seconds
        ]
