"""The alarms of one stream of sound, for several promised rates of false alarms at once.

The promise sets the threshold and nothing else, and scores are in units of the threshold: so one listener hears, and a tracker for each
promise takes its windows with their scores in units of its own threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.judgement.event import Event
from edge.judgement.event_tracker import EventSettings, EventTracker
from edge.judgement.threshold import Threshold
from edge.judgement.window import ALARM, Window
from edge.model import Model
from edge.pipeline import Listener


@dataclass(frozen=True, slots=True)
class Opened:
    """An event was opened: subscribers received it after so many seconds of the stream."""

    false_alarms_per_week: float  # the promise under which it was
    heard_s: float


class Promises:
    """The events of one stream of windows, under each promise."""

    def __init__(self, promises: Sequence[float]) -> None:
        """`promises` are false alarms per week."""
        self._trackers = {promise: EventTracker(EventSettings()) for promise in promises}

    def is_open(self, promise: float) -> bool:
        """Whether an event is going on under a promise."""
        return self._trackers[promise].is_open

    def hear(self, window: Window, model: Model) -> list[float]:
        """Take the next window, as a model has judged it; return the promises under which it opened an event."""
        return [promise for promise in self._trackers if self._opens(promise, window, model, EventTracker.push)]

    def look(self, window: Window, model: Model) -> list[float]:
        """The same of a window between those of the grid."""
        return [promise for promise in self._trackers if self._opens(promise, window, model, EventTracker.look)]

    def opens_early(self, window_s: float) -> bool:
        """Whether a sure window of this length would open an event under some promise."""
        return any(tracker.opens_early(window_s) for tracker in self._trackers.values())

    def interrupt(self) -> None:
        """Another model judges from now on: events that are open are closed."""
        for tracker in self._trackers.values():
            tracker.finish()

    def _opens(self, promise: float, window: Window, model: Model, tell: Callable[[EventTracker, Window], list[Event]]) -> bool:
        if window.surprise is not None:
            threshold = Threshold(model.tail.surprise_at(promise), model.tail)
            score = threshold.score(window.surprise)
            sure = window.surprise >= threshold.sure_surprise(model.hop_s / model.front_end.block_s)
            window = replace(window, score=score, anomalous=score >= ALARM, sure=sure)
        return any(event.type == "opened" for event in tell(self._trackers[promise], window))


class _Watched(EventTracker):
    """The tracker of a listener; what it is told, promises are told too. Looks between windows are those that the bundle's own asks for."""

    def __init__(self, model: Model, promises: Promises) -> None:
        super().__init__(EventSettings())
        self.opened: list[float] = []  # promises under which events were opened since this was emptied
        self._model = model
        self._promises = promises

    def opens_early(self, window_s: float) -> bool:
        """Whether any of them does."""
        return super().opens_early(window_s) or self._promises.opens_early(window_s)

    def push(self, window: Window) -> list[Event]:
        """Tell all of a window."""
        self.opened += self._promises.hear(window, self._model)
        return super().push(window)

    def look(self, window: Window) -> list[Event]:
        """Tell all of a window between those of the grid."""
        self.opened += self._promises.look(window, self._model)
        if self.is_open or not window.sure:
            return []
        return super().push(window)


class Alarms:
    """One stream."""

    def __init__(self, model: Model, rate_hz: int, promises: Sequence[float]) -> None:
        """`promises` are false alarms per week."""
        self.model = model
        self._promises = Promises(promises)
        self._tracker = _Watched(model, self._promises)
        self.listener = Listener(model, rate_hz, events=self._tracker)
        self.windows = self.anomalous = 0

    @property
    def heard_s(self) -> float:
        """Seconds of the stream so far."""
        return self.listener.heard_s

    def is_open(self, promise: float) -> bool:
        """Whether an event is going on under a promise."""
        return self._promises.is_open(promise)

    def push(self, samples: NDArray[np.float32]) -> list[Opened]:
        """Hear mono audio, shape = (n,) float32; return the events that it opened."""
        windows = [heard for heard in self.listener.push(samples) if isinstance(heard, Window)]
        self.windows += len(windows)
        self.anomalous += sum(window.anomalous for window in windows)
        opened, self._tracker.opened = self._tracker.opened, []
        return [Opened(promise, self.heard_s) for promise in opened]
