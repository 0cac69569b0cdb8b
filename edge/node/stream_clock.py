"""Seconds of a stream as times of the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge import clock
from edge.mqtt.timestamp import timestamp
from edge.node.drift import Drift

FOLLOW = 200e-6  # what the measured drift leaves over; a crystal's own error is up to 100 ppm
STEP_S = 0.25


class StreamClock:
    """Knows when each second of the stream was recorded.

    The anchor is the time (`edge.clock.now_s`) at which the stream's second 0 would have been heard at the stream's present speed. For a
    live stream it moves with the measured drift of the device, and is otherwise the leaky minimum of what each block says (heard minus
    position): a block may come late, and never early. When all blocks of ten seconds are late it is set anew. For a file it is the start
    and stays there. The wall clock is read only to stamp.
    """

    def __init__(
        self,
        live: bool,
        now: Callable[[], float] = clock.now_s,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._live = live
        self._now = now
        self._wall = wall
        self._drift = Drift()
        self._anchor_s: float | None = None
        self._is_new = True  # the next block sets the anchor
        self._arrived_s = 0.0
        self._start_offset_s = wall() - now()

    def arrived(self, stream_s: float, heard_at_s: float | None = None) -> None:
        """A block came in whose last sample is at `stream_s`, the whole stream counted, lost audio too.

        `heard_at_s` is when that sample was heard, for a source that knows; else it counts as heard now, at the latest.
        """
        now_s = self._now()
        at_s = heard_at_s if heard_at_s is not None else now_s
        anchor_s = at_s - (stream_s if self._live else 0.0)
        least_s = self._drift.add(at_s, anchor_s) if self._live and heard_at_s is not None else None
        if least_s is not None and self._anchor_s is not None and least_s > self._anchor_s + STEP_S:
            self._is_new = True  # nothing came in time for ten seconds: sound was lost and not counted
        if self._anchor_s is None or self._is_new:
            self._anchor_s = anchor_s
            self._is_new = False
        elif self._live:
            passed_s = now_s - self._arrived_s
            self._anchor_s = min(anchor_s, self._anchor_s + passed_s * (FOLLOW + (self._drift.slope or 0.0)))
        self._arrived_s = now_s

    def restart(self) -> None:
        """The next sound comes from a device that was opened again: how much was lost in between is only known roughly."""
        self._drift.restart()
        self._is_new = self._live

    @property
    def drift(self) -> float | None:
        """How much longer a second of the stream takes than a second: 0.001 is a device that is 1000 ppm slow. None when not known."""
        return self._drift.slope

    def behind_s(self, stream_s: float) -> float:
        """Seconds since `stream_s` was recorded; for sources that are read as fast as possible, since the last block was read."""
        if self._anchor_s is None:
            return 0.0
        since_s = self._anchor_s + stream_s if self._live else self._arrived_s
        return max(0.0, self._now() - since_s)

    def wall_offset_s(self) -> float:
        """What to add to our clock to get the wall's. Everything stamped with one offset stays together when the wall clock is set.

        A live stream takes the wall clock of now, so that one that is set after boot is right from then on; a file keeps that of its start.
        """
        return self._wall() - self._now() if self._live else self._start_offset_s

    def stamp(self, stream_s: float, wall_offset_s: float | None = None) -> str:
        """The timestamp at which `stream_s` was recorded, by the wall clock of now or that of `wall_offset_s`."""
        offset_s = self.wall_offset_s() if wall_offset_s is None else wall_offset_s
        anchor_s = self._anchor_s if self._anchor_s is not None else self._now()
        return timestamp(anchor_s + stream_s + offset_s)
