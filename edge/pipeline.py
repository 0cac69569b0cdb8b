"""The whole flow, in one place: audio of one machine in, scored windows and events out.

    source -> resample -> ring -> log-mel -> backbone -> detector -> timeline -> window score -> events -> publisher

Nothing here touches a clock, socket or device: the daemon, `auscult score`, calibration and tests call the same
`Listener`, so an alert can be replayed bit for bit from its recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge.event import Event
from edge.events import EventSettings, EventTracker
from edge.features import FeatureBlock, FeatureStream
from edge.gaps import Gaps
from edge.model import Model
from edge.regions import ALARM, find_regions
from edge.resampler import Resampler
from edge.stopwatch import Stopwatch
from edge.timeline import Span, Timeline
from edge.ulid import new_ulid
from edge.window import Localization, Window

Float32 = NDArray[np.float32]

HEARD_FRACTION = 0.5  # a window of which less was heard gets no score


class Listener:
    """Listens to one source. Push audio as it comes, say what was lost, and finish at the end."""

    def __init__(self, model: Model, rate_hz: int, settings: EventSettings | None = None, new_id: Callable[[], str] = new_ulid) -> None:
        """`rate_hz` is the native rate of what will be pushed; BundleError when it is too low for the bundle."""
        model.check_rate(rate_hz, "the source")
        self.model = model
        self.rate_hz = rate_hz
        self.stopwatch = Stopwatch()
        self._front_end = model.front_end
        self._detector = model.detector
        self._timeline = Timeline(model.detector.heads, model.detector.bands, model.window_cells)
        self._events = EventTracker(settings or EventSettings(), new_id)
        self._gaps = Gaps(rate_hz)
        self._heard_samples = 0  # native, pushed or lost, since the stream began
        self._base_cell = 0  # absolute cell at which the segment starts
        self._skip_samples = 0  # native, to drop so that a segment starts on the cell grid
        self._windows = 0  # passed on the regular grid
        self._last_window_end = 0  # absolute cell
        self._start_segment()

    def _start_segment(self) -> None:
        """Begin an unbroken stretch of audio."""
        self._resampler = Resampler(self.rate_hz, self._front_end.sample_rate_hz)
        self._features = FeatureStream(self.model.feature_source, self.model.bandwidth_hz, self.stopwatch)
        self._judge = self._detector.stream()
        self._is_segment_empty = True

    def push(self, samples: Float32) -> list[Window | Event]:
        """Take mono audio at the native rate, shape = (n,) float32; return the windows and events that it completed, in order.

        Digital silence and samples that are not numbers count as lost.
        """
        results: list[Window | Event] = []
        for part in self._gaps.push(samples):
            results += self._lose(part) if isinstance(part, int) else self._hear(part)
        return results

    def _hear(self, samples: Float32) -> list[Window | Event]:
        self._heard_samples += len(samples)
        if self._skip_samples:
            skipped = min(self._skip_samples, len(samples))
            self._skip_samples -= skipped
            samples = samples[skipped:]
        if not len(samples):
            return []
        self._is_segment_empty = False
        with self.stopwatch.stage("resample"):
            resampled = self._resampler.push(samples)
        return [result for block in self._features.push(resampled) for result in self._take(block)]

    def lose(self, samples: int) -> list[Window | Event]:
        """So many native samples were lost here: what came before is judged to its end, and the gap is never scored as normal."""
        if samples <= 0:
            return []
        return self._hear(self._gaps.interrupt()) + self._lose(samples)

    def _lose(self, samples: int) -> list[Window | Event]:
        results: list[Window | Event] = []
        if not self._is_segment_empty:
            results = self._end_segment()
            self._start_segment()
        self._heard_samples += samples
        # The next segment starts on the next cell boundary; what lies before it counts as lost.
        cell_samples = self._front_end.cell_s * self.rate_hz  # native samples per cell, may be fractional
        self._base_cell = int(np.ceil(self._heard_samples / cell_samples - 1e-9))
        self._skip_samples = round(self._base_cell * cell_samples) - self._heard_samples
        cells = self._timeline.cells
        near = min(self._base_cell, cells + self.model.window_cells)
        if near > cells:
            self._timeline.lose(cells, near)
            results += self._due()
        if self._base_cell > near:  # nothing was heard in any window that ends from here on in the gap
            self._timeline.lose(near, self._base_cell)
            while self._next_window_end() <= self._base_cell:
                self._windows += 1
        return results

    def finish(self) -> list[Window | Event]:
        """The stream ends: judge what is left, in a last window that ends where the audio ends, and close open events."""
        results = self._hear(self._gaps.flush()) + self._end_segment()
        end = self._timeline.cells
        if end > self._last_window_end:
            results += self._window(end, min(self.model.window_cells, end))
        return [*results, *self._events.finish()]

    @property
    def is_event_open(self) -> bool:
        """Whether an announced event is going on: the source's state, ON or OFF."""
        return self._events.is_open

    @property
    def timings_s(self) -> dict[str, float]:
        """CPU seconds spent so far, by stage."""
        return dict(self.stopwatch.seconds)

    @property
    def heard_s(self) -> float:
        """Seconds of the stream so far, lost ones included."""
        return self._heard_samples / self.rate_hz

    def _end_segment(self) -> list[Window | Event]:
        blocks: Iterable[FeatureBlock]
        results: list[Window | Event] = []
        for blocks in (self._features.push(self._resampler.finish()), self._features.finish()):
            for block in blocks:
                results += self._take(block)
        return results

    def _take(self, block: FeatureBlock) -> Iterator[Window | Event]:
        with self.stopwatch.stage("detector"):
            for surprise in self._judge.push(block, self._features.cells):
                self._timeline.put(surprise, self._base_cell)
        yield from self._due()

    def _due(self) -> Iterator[Window | Event]:
        """Windows on the regular grid that are complete: window k ends on the last whole cell before k hops have passed."""
        while (end := self._next_window_end()) <= self._timeline.cells:
            self._windows += 1
            yield from self._window(end, self.model.window_cells)

    def _next_window_end(self) -> int:
        """Absolute cell at which the next window of the regular grid ends."""
        return int(np.floor((self.model.window_s + self._windows * self.model.hop_s) / self._front_end.cell_s + 1e-6))

    def _window(self, end: int, cells: int) -> list[Window | Event]:
        """Score one window. One in which nothing at all was heard is left out: an hour's gap would be thousands of them."""
        with self.stopwatch.stage("window"):
            self._last_window_end = end
            span = self._timeline.read(end, cells)
            if span.lost_cells == cells:
                return []
            window = self._score(span)
            return [window, *self._events.push(window)]

    def _score(self, span: Span) -> Window:
        """The window score is its most surprising head, in units of the alarm threshold (PatchCore: the largest patch distance)."""
        cell_s = self._front_end.cell_s
        cells = span.last - span.first
        score = p_value = None
        if span.heads and cells - span.lost_cells >= HEARD_FRACTION * cells:
            surprise = max(span.heads.values())
            score = self.model.score(surprise)
            p_value = self.model.tail.p_value(surprise, cells * cell_s)
        anomalous = score is not None and score >= ALARM
        scores = self.model.scores(span.anomaly_map)  # (time, band), NaN where lost
        regions = find_regions(scores, self._front_end) if anomalous else ()
        return Window(
            t_start_s=span.first * cell_s,
            t_end_s=span.last * cell_s,
            score=score,
            p_value=p_value,
            anomalous=anomalous,
            heads={head: self.model.score(value) for head, value in span.heads.items()},
            lost_s=span.lost_cells * cell_s,
            localization=Localization(cell_s, scores.max(axis=1), regions),
        )
