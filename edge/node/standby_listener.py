"""A listener that takes over from another in the middle of a stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edge.audio.recent import Recent
from edge.bundles.bundle import Bundle
from edge.features.frontend import BLOCK_FRAMES, PANNS, front_end_named
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.node.listener_like import ListenerLike

PIECE_S = 0.5  # is fed at a time, so that the listener that is at work is not kept from it


class StandbyListener:
    """Receives the recent sound of the other, without publishing, and is then at the same position of the stream.

    While all of the stream is still known, it says what it would have said had it heard it from the beginning, bit for bit. Later the
    slow level (edge/features/level.py) is the only thing that goes back further: of what a window hears, it has known 30 s more.
    """

    def __init__(
        self, listener: ListenerLike, bundle: Bundle | None, rate_hz: int, recent: Recent, between: Callable[[], None] = lambda: None
    ) -> None:
        """`between` is called before each piece that it hears while it catches up; what it raises ends that."""
        self.between = between
        self.listener = listener
        self.bundle = bundle
        self.recent = recent
        self.windows: list[Window] = []  # its results for the sound that the other has received
        front_end = PANNS if bundle is None else front_end_named(bundle.manifest.front_end, bundle.path)
        self._block_s = BLOCK_FRAMES * front_end.frame_s
        self._rate_hz = rate_hz
        self._piece = max(1, round(PIECE_S * rate_hz))
        self._position = 0

    @property
    def behind_s(self) -> float:
        """Seconds of the stream that it has not received yet."""
        return (self.recent.end - self._position) / self._rate_hz

    def catch_up(self) -> None:
        """Hear what has come until now."""
        start, parts = self.recent.since(self._position)
        while start > self._position:  # too long ago
            self._lose_until(start)
            start, parts = self.recent.since(self._position)
        for part in parts:
            if isinstance(part, int):
                self._take(self.listener.lose(part))
                self._position += part
                continue
            for first in range(0, len(part), self._piece):
                self.between()
                piece = part[first : first + self._piece]
                self._take(self.listener.push(piece))
                self._position += len(piece)
        self.listener.end_event()  # it will be the new listener's own event if it lasts

    def _lose_until(self, start: int) -> None:
        """Begin on a block of the features, where those of the listener before begin too."""
        block = self._block_s * self._rate_hz  # native samples, may be fractional
        begin = int(math.ceil(start / block) * block)
        self._take(self.listener.lose(begin - self._position))
        self._position = begin

    def _take(self, results: Sequence[Window | Event]) -> None:
        self.windows += [result for result in results if isinstance(result, Window)]
