"""Which sources publish no events, and until when."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge import clock
from edge.remote.background_writer import Then, Write, at_once, nobody
from edge.remote.requests import LONGEST_SNOOZE_MIN
from edge.remote.state_file import StateFile

LOG = logging.getLogger("auscult.remote")
CLOCK_SET_S = 1.0  # less is the work of NTP


class _Kept(msgspec.Struct, frozen=True):
    """One snooze in the file."""

    until_s: float  # since 1970
    left_s: float  # when it was written
    note: str = ""


@dataclass(slots=True)
class _Snooze:
    until_s: float  # by `edge.clock.now_s`
    until_wall_s: float  # the same, as it was published
    note: str


class Snoozes:
    """While the daemon runs, a snooze ends by a clock that cannot be set; across a restart, by the wall clock.

    A wall clock that was set back meanwhile makes none longer than it was.
    """

    def __init__(
        self, path: Path, now: Callable[[], float] = clock.now_s, wall: Callable[[], float] = time.time, write: Write = at_once
    ) -> None:
        """`path` is the file that remembers them; `write` has it written."""
        self._file = StateFile(path, dict[str, _Kept], write)
        self._now = now
        self._wall = wall
        self._snoozes: dict[str, _Snooze] = {}
        for source, kept in self._file.read({}).items():
            left_s = min(kept.until_s - wall(), kept.left_s, 60.0 * LONGEST_SNOOZE_MIN)
            if left_s > 0.0:
                self._snoozes[source] = _Snooze(now() + left_s, wall() + left_s, kept.note)
                LOG.info("%s: snoozed for another %.0f minutes", source, left_s / 60.0)

    def set(self, source: str, minutes: float, note: str = "", then: Then = nobody) -> None:
        """Begin a snooze, or change it; 0 minutes end it. It applies at once; `then` is called with whether it was saved."""
        if minutes > 0.0:
            self._snoozes[source] = _Snooze(self._now() + 60.0 * minutes, self._wall() + 60.0 * minutes, note)
        else:
            self._snoozes.pop(source, None)
        self._keep(then)

    def is_snoozed(self, source: str) -> bool:
        """Whether the source's events are not published now."""
        snooze = self._snoozes.get(source)
        if snooze is None:
            return False
        if self._now() < snooze.until_s:
            return True
        del self._snoozes[source]
        LOG.info("%s: the snooze is over", source)
        self._keep()
        return False

    def until_s(self, source: str) -> float | None:
        """When the snooze ends, in seconds since 1970 by the wall clock of now; None without one."""
        if not self.is_snoozed(source):
            return None
        snooze = self._snoozes[source]
        until_wall_s = self._wall() + snooze.until_s - self._now()
        if abs(until_wall_s - snooze.until_wall_s) > CLOCK_SET_S:  # else it says the same as before
            snooze.until_wall_s = until_wall_s
        return snooze.until_wall_s

    def _keep(self, then: Then = nobody) -> None:
        now_s, wall_s = self._now(), self._wall()
        left_s = {source: snooze.until_s - now_s for source, snooze in self._snoozes.items()}
        kept = {source: _Kept(wall_s + left_s[source], left_s[source], self._snoozes[source].note) for source in left_s}
        self._file.keep(kept, then)
