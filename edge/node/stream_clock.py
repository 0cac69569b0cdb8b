"""Seconds of a stream against the clock on the wall."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.mqtt.encoding import timestamp

FOLLOW = 200e-6  # a sound card's crystal is off by up to 100 ppm; the anchor may move twice as fast


class StreamClock:
    """Knows when a second of the stream was heard.

    The anchor is the monotonic time at which the stream's second 0 was heard. For a live stream it is the leaky minimum of what each
    block says (arrival minus position): a sound card that runs fast or slow by some ppm would otherwise be seconds off after a day. For
    a file it is the start and stays there. The wall clock is read only to stamp: a clock that is set after boot is right from then on.
    """

    def __init__(
        self,
        live: bool,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._live = live
        self._monotonic = monotonic
        self._wall = wall
        self._anchor_s: float | None = None
        self._arrived_s = 0.0
        self._wall_offset_s = wall() - monotonic()

    def arrived(self, stream_s: float) -> None:
        """A block came in whose last sample is at `stream_s`, the whole stream counted, lost audio too."""
        now_s = self._monotonic()
        anchor_s = now_s - (stream_s if self._live else 0.0)
        if self._anchor_s is None:
            self._anchor_s = anchor_s
        elif self._live:
            step_s = FOLLOW * (now_s - self._arrived_s)
            self._anchor_s = min(anchor_s, self._anchor_s + step_s)
        self._arrived_s = now_s

    def behind_s(self, stream_s: float) -> float:
        """Seconds since `stream_s` was heard; for what is read as fast as possible, since the last block was read."""
        if self._anchor_s is None:
            return 0.0
        since_s = self._anchor_s + stream_s if self._live else self._arrived_s
        return max(0.0, self._monotonic() - since_s)

    def stamp(self, stream_s: float) -> str:
        """The timestamp at which `stream_s` was heard."""
        if self._live:  # follows the wall clock when it is set; a file's stamps must stay consistent with each other
            self._wall_offset_s = self._wall() - self._monotonic()
        anchor_s = self._anchor_s if self._anchor_s is not None else self._monotonic()
        return timestamp(anchor_s + stream_s + self._wall_offset_s)
