"""A running listener: publish its results, and measure how long it takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.audio.recent import Recent
from edge.bundles.bundle import Bundle
from edge.judgement.event import Event
from edge.judgement.event_tracker import EventSettings
from edge.judgement.threshold import Moved
from edge.judgement.window import HOP_S, WINDOW_S, Window
from edge.node.health import InferenceTimes
from edge.node.listener_like import ListenerLike
from edge.node.source_publisher import SourcePublisher
from edge.node.standby_listener import StandbyListener
from edge.pipeline import Overhearing

WARM_UP_S = 30.0  # before the oldest window that a standby publishes: sound for its slow level (10 s)


class Listening:
    """Feeds one listener, which a standby may replace in the middle of the stream."""

    def __init__(
        self, listener: ListenerLike, bundle: Bundle | None, rate_hz: int, publisher: SourcePublisher, inference: InferenceTimes
    ) -> None:
        self.is_working = False  # the listener has been called and has not come back
        self._listener = listener
        self._rate_hz = rate_hz
        self._publisher = publisher
        self._inference = inference
        self._work_s = 0.0  # since the last window
        self._unscored = 0  # samples since the last window
        self._told_s = -math.inf  # seconds of the stream at which the latest window ended
        self._is_watched = False
        self._silent_until_s = -math.inf  # windows that end by then were published by the listener before this one
        self._overhearing: tuple[Overhearing, ...] = ()
        self.recent = Recent(0)
        self._hear_with(bundle)
        self.teach()

    def _hear_with(self, bundle: Bundle | None) -> None:
        parameters = {} if bundle is None else bundle.manifest.detector.parameters
        self._window_s = float(parameters.get("window_s", WINDOW_S))
        self.hop_s = float(parameters.get("hop_s", HOP_S))
        self.recent.capacity = round(max(self._window_s + WARM_UP_S, self._publisher.remembered_s) * self._rate_hz)

    def push(self, samples: NDArray[np.float32]) -> None:
        """Listen to samples (samples,) at the native rate."""
        self.recent.add(samples)
        self._unscored += len(samples)
        self._work(lambda: self._listener.push(samples))
        if not np.isfinite(samples).all():
            self.excuse()

    def lose(self, samples: int) -> None:
        """So many samples were lost."""
        self.recent.add(samples)
        self._work(lambda: self._listener.lose(samples))

    def finish(self) -> None:
        """The stream is over."""
        self._work(self._listener.finish)

    def end_event(self) -> None:
        """Close the event that is open."""
        self._work(self._listener.end_event)

    def set_events(self, settings: EventSettings) -> None:
        """Judge by other rules from now on when an event opens and closes."""
        self._listener.set_events(settings)

    def move_threshold(self, moved: Moved | None) -> None:
        """Judge by another threshold from now on, None for the bundle's own; an open event is closed."""
        self._work(lambda: self._listener.move_threshold(moved))

    def take_over(self, standby: StandbyListener) -> None:
        """Go on with another listener at the same place of the stream.

        Of what it has to say of the past, that is told which the old one has not. Each hop has one score: windows of another front end
        may end up to a cell earlier or later than those of the old one.
        """
        standby.catch_up()
        self._hear_with(standby.bundle)
        if self._overhearing:
            self._listener.overhear()
            standby.listener.overhear(*self._overhearing)
        self._listener = standby.listener
        self.teach()
        self._is_watched = False  # the new listener does not know yet
        self._silent_until_s = self._told_s + self.hop_s / 2
        self._tell(standby.windows)

    def teach(self) -> None:
        """Leave out from now on what the verdicts on events say."""
        self._listener.teach(*self._publisher.taught)

    def overhear(self, *overhearing: Overhearing) -> None:
        """Let these learn from what is heard from now on, whichever listener hears it."""
        self._overhearing = overhearing
        self._listener.overhear(*overhearing)

    @property
    def unscored_s(self) -> float:
        """Seconds of sound since the last window, beyond the length of a window."""
        return self._unscored / self._rate_hz - self._window_s

    def excuse(self) -> None:
        """The sound is silence or a constant value: it counts as lost, and need not be scored."""
        self._unscored = 0

    def _work(self, work: Callable[[], Sequence[Window | Event]]) -> None:
        self._watch(self._publisher.is_watched)
        started_s = time.perf_counter()
        self.is_working = True
        results = work()
        self.is_working = False
        self._work_s += time.perf_counter() - started_s
        windows = sum(isinstance(result, Window) for result in results)
        for _ in range(windows):
            self._inference.add(1000.0 * self._work_s / windows)
        if windows:
            self._work_s = 0.0
            self._unscored = 0
        self._tell(results)
        for sound in self._listener.event_sounds():
            self._publisher.sound(sound)
            self.teach()  # who has marked an event before it was over
        if self._is_watched:
            for cells in self._listener.seen():
                self._publisher.cells(cells)
        self._publisher.heard()

    def _watch(self, is_watched: bool) -> None:
        if is_watched != self._is_watched:
            self._is_watched = is_watched
            self._listener.watch(is_watched)

    def _tell(self, results: Sequence[Window | Event]) -> None:
        for result in results:
            if not isinstance(result, Window):
                self._publisher.event(result)
            elif result.t_end_s > self._silent_until_s:
                self._told_s = result.t_end_s
                self._publisher.window(result)
