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


class Alarms:
    """One stream."""

    def __init__(self, model: Model, rate_hz: int, promises: Sequence[float]) -> None:
        """`promises` are false alarms per week."""
        self.model = model
        self._listener = Listener(model, rate_hz)
        self._trackers = {promise: EventTracker(EventSettings()) for promise in promises}
        self._units = {promise: model.alarm_surprise / model.tail.surprise_at(promise) for promise in promises}

    @property
    def heard_s(self) -> float:
        """Seconds of the stream so far."""
        return self._listener.heard_s

    def is_open(self, promise: float) -> bool:
        """Whether an event is going on under a promise."""
        return self._trackers[promise].is_open

    def push(self, samples: NDArray[np.float32]) -> list[Opened]:
        """Hear mono audio, shape = (n,) float32; return the events that it opened."""
        windows = [heard for heard in self._listener.push(samples) if isinstance(heard, Window)]
        return [Opened(promise, self.heard_s) for promise in self._trackers for window in windows if self._opens(promise, window)]

    def _opens(self, promise: float, window: Window) -> bool:
        if window.score is not None:
            score = window.score * self._units[promise]
            window = replace(window, score=score, anomalous=score >= ALARM)
        return any(event.type == "opened" for event in self._trackers[promise].push(window))
