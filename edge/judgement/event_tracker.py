"""Windows in, events out: hysteresis with a minimum duration and a cooldown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.judgement.event import Event, EventType
from edge.judgement.regions import CORE_FRACTION, MOST_REGIONS, hot_level
from edge.judgement.ulid import new_ulid
from edge.judgement.window import ALARM, Window


@dataclass(frozen=True, slots=True)
class EventSettings:
    """When an event opens and closes."""

    minimum_duration_s: float = 0.5  # the score stays at or above 1.0 this long before an event opens; see `EventTracker`
    cooldown_s: float = 5.0  # the score stays below `release_score` this long before it closes
    release_score: float = 0.9
    update_interval_s: float = 10.0  # between `updated` messages


@dataclass(slots=True)
class _Open:
    """The event that is being observed; it is announced once it has lasted."""

    id: str
    since_s: float  # end of the first window above threshold
    t_start_s: float
    t_end_s: float
    peak: Window  # with the highest score
    shown: Window  # that holds most of the event: its regions are the event's
    last_above_s: float
    told_s: float | None = None  # when it was last published
    is_early: bool = False  # it was published before it had lasted, and not since


class EventTracker:
    """Turns the windows of one source into events.

    A window is long, so an event's times come from the cells that sound wrong, not from the windows they are in. Faults
    that are less than a window and a cooldown apart are one event.

    A moment stays in the window until the window has passed it. So a minimum duration below a window does not say how long a sound lasts,
    but that its score is no chance; and of a window that is sure, this is known at once. Its event is opened with what is known then, and
    updated when it has lasted. A minimum duration of a window or more asks the sound itself to last, and is always kept.
    """

    def __init__(self, settings: EventSettings, new_id: Callable[[], str] = new_ulid, first_seq: int = 1) -> None:
        self.settings = settings  # may be replaced at any time, and hold for an open event too
        self._new_id = new_id
        self._seq = first_seq
        self._open: _Open | None = None

    @property
    def is_open(self) -> bool:
        """Whether an announced event is going on."""
        return self._open is not None and self._open.told_s is not None

    @property
    def is_under_way(self) -> bool:
        """Whether an event is observed, announced or not."""
        return self._open is not None

    def opens_early(self, window_s: float) -> bool:
        """Whether a window of this length would open an event now if it were sure."""
        return not self.is_open and self.settings.minimum_duration_s < window_s

    def push(self, window: Window) -> list[Event]:
        """Take the next window; return the messages it causes."""
        if window.score is None:  # too much was lost to say: neither better nor worse
            return []
        return [*self.pass_over(window.t_start_s), *self._take(window, window.score)]

    def _take(self, window: Window, score: float) -> list[Event]:
        event = self._open
        if event is None:
            if score < ALARM:
                return []
            start_s, end_s = _hot_span(window) or (window.t_start_s, window.t_end_s)
            event = self._open = _Open(self._new_id(), window.t_end_s, start_s, end_s, window, window, window.t_end_s)
        elif score >= ALARM:
            if span := _hot_span(window):
                event.t_end_s = span[1]  # not the latest ever: the next cells correct the newest ones
            if score > (event.peak.score or 0.0):
                event.peak = window
            if _evidence(window) >= _evidence(event.shown):
                event.shown = window
        if score >= self.settings.release_score:
            event.last_above_s = window.t_end_s
        return self._tell(event, window)

    def look(self, window: Window) -> list[Event]:
        """Take a window between those of the regular grid: it may open an event, if it is sure, and does nothing else."""
        return self.push(window) if window.sure and self.opens_early(window.t_end_s - window.t_start_s) else []

    def pass_over(self, t_start_s: float) -> list[Event]:
        """No window will start before `t_start_s`: close an event that ended in a gap, because nobody knows whether it lasted."""
        if self._open is not None and t_start_s - self._open.last_above_s >= self.settings.cooldown_s:
            return self.finish()
        return []

    def finish(self) -> list[Event]:
        """The stream ends: close what is open."""
        event, self._open = self._open, None
        if event is None or event.told_s is None:
            return []
        return [self._message("closed", event)]

    def _tell(self, event: _Open, window: Window) -> list[Event]:
        settings = self.settings
        if event.told_s is None:
            if not window.anomalous:  # it did not last
                self._open = None
                return []
            event.is_early = not self._has_lasted(event, window)
            if event.is_early and not (window.sure and self.opens_early(window.t_end_s - window.t_start_s)):
                return []
            event.told_s = window.t_end_s
            return [self._message("opened", event)]
        if window.t_end_s - event.last_above_s >= settings.cooldown_s:
            return self.finish()
        if window.t_end_s - event.told_s >= settings.update_interval_s or (event.is_early and self._has_lasted(event, window)):
            event.told_s = window.t_end_s
            event.is_early = False
            return [self._message("updated", event)]
        return []

    def _has_lasted(self, event: _Open, window: Window) -> bool:
        return window.t_end_s - event.since_s >= self.settings.minimum_duration_s

    def _message(self, kind: EventType, event: _Open) -> Event:
        peak = event.peak
        shift_s = event.shown.t_start_s - event.t_start_s
        regions = tuple(
            replace(region, t0_s=max(0.0, region.t0_s + shift_s), t1_s=region.t1_s + shift_s)
            for region in event.shown.localization.regions
            if region.t1_s + shift_s > 0.0
        )
        assert peak.score is not None
        assert peak.p_value is not None
        message = Event(
            id=event.id,
            seq=self._seq,
            type=kind,
            t_start_s=event.t_start_s,
            t_end_s=event.t_end_s,
            peak_score=peak.score,
            p_value=peak.p_value,
            regions=regions[:MOST_REGIONS],
            lost_s=peak.lost_s,
        )
        self._seq += 1
        return message


def _evidence(window: Window) -> float:
    """How much of an event a window holds: the sum of the cell columns that sound wrong."""
    time_scores = np.nan_to_num(window.localization.time_scores)  # (time,)
    return float(time_scores[time_scores >= hot_level(time_scores)].sum())


def _hot_span(window: Window) -> tuple[float, float] | None:
    """Stream time of the first and last cells that sound wrong, without the halo of a loud fault; None when none does on its own."""
    time_scores = np.nan_to_num(window.localization.time_scores)  # (time,)
    hot = time_scores >= hot_level(time_scores)
    if not hot.any():
        return None
    edges = np.flatnonzero(np.diff(hot, prepend=False, append=False))  # (2 * run,) where a run starts, and just behind its end
    first, last = _core(time_scores[slice(*edges[:2])]), _core(time_scores[slice(*edges[-2:])])
    cell_s = window.localization.cell_s
    return window.t_start_s + float(edges[0] + first[0]) * cell_s, window.t_start_s + float(edges[-2] + last[-1] + 1) * cell_s


def _core(run: NDArray[np.float32]) -> NDArray[np.intp]:
    """Where a run of cell columns reaches half its peak, as regions are drawn."""
    return np.flatnonzero(run >= CORE_FRACTION * run.max())
