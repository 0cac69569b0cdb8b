"""The alarms of one stream of sound, for several promised rates of false alarms at once.

The promise sets the threshold and nothing else, and scores are in units of the threshold: so one listener hears, and a tracker for each
promise takes its windows with their scores in units of its own threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.judgement.event_tracker import EventSettings, EventTracker
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
        return [promise for promise in self._trackers if self._opens(promise, window, model)]

    def interrupt(self) -> None:
        """Another model judges from now on: events that are open are closed."""
        for tracker in self._trackers.values():
            tracker.finish()

    def _opens(self, promise: float, window: Window, model: Model) -> bool:
        if window.score is not None:
            score = window.score * model.alarm_surprise / model.tail.surprise_at(promise)
            window = replace(window, score=score, anomalous=score >= ALARM)
        return any(event.type == "opened" for event in self._trackers[promise].push(window))


class Alarms:
    """One stream."""

    def __init__(self, model: Model, rate_hz: int, promises: Sequence[float]) -> None:
        """`promises` are false alarms per week."""
        self.model = model
        self.listener = Listener(model, rate_hz)
        self._promises = Promises(promises)
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
        return [Opened(promise, self.heard_s) for window in windows for promise in self._promises.hear(window, self.model)]
