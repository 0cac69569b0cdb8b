"""The whole flow, in one place: audio of one machine in, scored windows and events out.

    source -> resample -> ring -> log-mel -> backbone -> detector -> timeline -> window score -> events -> publisher

Nothing here touches a clock, socket or device: the daemon, `auscult score`, calibration and tests call the same
`Listener`, so an alert can be replayed bit for bit from its recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.features.feature_extractor import FeatureExtractor, Gap, PlacedBlock
from edge.features.frontend import BLOCK_CELLS, mels_below
from edge.judgement.cells import CellRecorder, Cells
from edge.judgement.event import Event
from edge.judgement.event_ear import EventEar
from edge.judgement.event_tracker import EventSettings, EventTracker
from edge.judgement.judge import AVERAGES, Judge
from edge.judgement.long_average import LongAverage
from edge.judgement.overhearing import HeardWindow, PatchHearing
from edge.judgement.peaks import Peaks
from edge.judgement.taught import EventSound, Recogniser, Taught
from edge.judgement.threshold import Moved
from edge.judgement.timeline import Span, Timeline
from edge.judgement.ulid import new_ulid
from edge.judgement.window import Window
from edge.judgement.window_scorer import Answers, WindowScorer
from edge.model import Model
from edge.stopwatch import Stopwatch

Float32 = NDArray[np.float32]


class Overhearing(Protocol):
    """Learns from a stream; one that is a `PatchHearing` hears its patches too. Never raises: each window is to be scored."""

    def begin(self, model: Model) -> None:
        """A listener with this model is overheard from now on, in place of any before."""

    def window(self, heard: HeardWindow) -> None:
        """A window of the regular grid, after the patches of all of its cells."""


class Listener:
    """Listens to one source. Push audio as it comes, report what was lost, and finish at the end."""

    def __init__(
        self,
        model: Model,
        rate_hz: int,
        settings: EventSettings | None = None,
        new_id: Callable[[], str] = new_ulid,
        moved: Moved | None = None,
        *,
        is_judging: bool = True,
        events: EventTracker | None = None,
    ) -> None:
        """`rate_hz` is the native rate of what will be pushed; BundleError when it is too low for the bundle.

        `moved` is for a threshold other than the bundle's own. One that is not `is_judging` gives no window a score and finds nothing
        anomalous, but can be overheard. `events` is for another tracker than one with these settings and ids.
        """
        model.check_rate(rate_hz, "the source")
        self.model = model
        self.rate_hz = rate_hz
        self.stopwatch = Stopwatch()
        self._front_end = model.front_end
        self._extractor = FeatureExtractor(model.feature_source, rate_hz, model.bandwidth_hz, self.stopwatch, model.detector.lag_blocks)
        layout = model.steady.sound.layout if model.steady else None
        averages = {AVERAGES: layout.width} if layout else {}
        self._timeline = Timeline({**model.detector.features, **averages}, model.window_cells)
        self._long_average = LongAverage(layout.width, model.window_cells) if layout else None
        self._judge = Judge(model.detector, self._timeline, self.stopwatch, layout, self._long_average)
        self._overhearing: tuple[Overhearing, ...] = ()
        self._scorer = WindowScorer(model.heads, model.steady, model.units, model.front_end, model.window_cells, is_judging=is_judging)
        self._scorer.use(model.threshold.moved(moved), model.hop_s)
        self._peaks = Peaks(model.detector.features, -(-model.window_cells // BLOCK_CELLS))
        self._recogniser: Recogniser | None = None  # while there is something to recognise
        self._ear = EventEar(model.steady.spread_db, model.window_cells, Random()) if model.steady else None
        self._events = events or EventTracker(settings or EventSettings(), new_id)
        self._windows = 0  # passed on the regular grid
        self._last_window_end = 0  # absolute cell
        self._recorder: CellRecorder | None = None  # while somebody watches

    def push(self, samples: Float32) -> list[Window | Event]:
        """Take mono audio at the native rate, shape = (n,) float32; return the windows and events that it completed, in order.

        Digital silence and samples that are not numbers count as lost.
        """
        return [result for heard in self._extractor.push(samples) for result in self._take(heard)]

    def lose(self, samples: int) -> list[Window | Event]:
        """So many native samples were lost here: the sound before is scored to its end, and the gap is never scored as normal."""
        return [result for heard in self._extractor.lose(samples) for result in self._take(heard)]

    def finish(self) -> list[Window | Event]:
        """The stream ends: score the rest, in a last window that ends where the audio ends, and close open events."""
        results = [result for heard in self._extractor.finish() for result in self._take(heard)]
        end = self._timeline.cells
        if end > self._last_window_end:
            results += self._window(end, min(self.model.window_cells, end))
        return [*results, *self._heard(self._events.finish())]

    def end_event(self) -> list[Window | Event]:
        """Close the open event, if there is one, and continue to listen."""
        return self._heard(self._events.finish())

    def set_events(self, settings: EventSettings) -> None:
        """Use other rules from now on for opening and closing events; an open event continues."""
        self._events.settings = settings

    def move_threshold(self, moved: Moved | None) -> list[Window | Event]:
        """Judge by another threshold from now on, None for the bundle's own. An open event is closed: no event has scores in two units."""
        self._scorer.use(self.model.threshold.moved(moved), self.model.hop_s)
        return self.end_event()

    def teach(self, false_alarms: Sequence[EventSound], real: Sequence[EventSound] = ()) -> None:
        """Leave out sounds like those of false alarms from the next window on, but none like a real fault's. Nothing else changes.

        What was heard with another front end or bandwidth is passed over.
        """
        if self.model.steady is None:
            return
        spread_db = self.model.steady.spread_db
        ours, others = ([sound for sound in sounds if sound.beyond.shape[1:] == spread_db.shape] for sounds in (false_alarms, real))
        taught = Taught(ours, others, spread_db)
        if self._recogniser is None or self._recogniser.taught.events != taught.events:
            self._recogniser = None if taught.is_empty else Recogniser(taught, self.model.window_cells)

    def event_sounds(self) -> list[EventSound]:
        """What stood out in the events that ended since the last call."""
        return [] if self._ear is None else self._ear.take()

    def watch(self, is_watched: bool) -> None:
        """Start or stop collecting what `seen` returns."""
        if is_watched:
            mels = mels_below(self._front_end, self.model.bandwidth_hz)
            self._recorder = self._recorder or CellRecorder(self._front_end, mels, self.model.window_cells)
        else:
            self._recorder = None

    def seen(self) -> list[Cells]:
        """The cells that were completed since the last call; none while nobody watches."""
        return [] if self._recorder is None else self._recorder.take()

    def overhear(self, *overhearing: Overhearing) -> None:
        """Let these, and nobody else, learn from what is heard from now on, and from the windows."""
        self._overhearing = overhearing
        self._judge.overhearing = tuple(one for one in overhearing if isinstance(one, PatchHearing))
        for one in overhearing:
            one.begin(self.model)

    @property
    def timings_s(self) -> dict[str, float]:
        """CPU seconds spent so far, by stage."""
        return dict(self.stopwatch.seconds)

    @property
    def heard_s(self) -> float:
        """Seconds of the stream so far, lost ones included."""
        return self._extractor.taken_samples / self.rate_hz

    def _take(self, heard: PlacedBlock | Gap) -> Iterator[Window | Event]:
        if isinstance(heard, Gap):
            yield from self._pass_over(heard.until_cell)
        else:
            if self._recorder is not None:
                self._recorder.hear(heard)
            rises = self._peaks.rise(self._judge.judge(heard))
            yield from self._due()
            if rises:
                yield from self._look()

    def _pass_over(self, until_cell: int) -> Iterator[Window | Event]:
        """Nothing was heard up to a cell. Windows that still hold sound are scored; those that lie within the gap are left out."""
        cells = self._timeline.cells
        near = min(until_cell, cells + self.model.window_cells)
        if near > cells:
            self._timeline.lose(cells, near)
            yield from self._due()
        if until_cell > near:
            self._timeline.lose(near, until_cell)
            # Close to the last window that ends by then in one step: a month's gap is millions of them.
            hops = int((until_cell * self._front_end.cell_s - self.model.window_s) / self.model.hop_s)
            self._windows = max(self._windows, hops - 1)
            while self._next_window_end() <= until_cell:
                self._windows += 1
        # Whatever holds sound again ends after the gap.
        yield from self._heard(self._events.pass_over(until_cell * self._front_end.cell_s - self.model.window_s))

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
            left_out = self._left_out(span)
            if left_out.any():
                span = span.without(left_out)
            answers = self._scorer.ask(span, self._long_average, self._recogniser)
            window = self._scorer.window(answers, self._recorder)
        if window.anomalous and self._ear is not None and self.model.steady is not None:
            self._ear.hear(span.first, self.model.steady.sound.decibels(span.deviations[AVERAGES]))
        events = self._heard(self._events.push(window))
        if self._overhearing and self._long_average is not None and cells == self.model.window_cells:
            with self.stopwatch.stage("learning"):
                heard = self._overheard(answers, window, left_out, self._long_average)
                for one in self._overhearing:
                    one.window(heard)
        return [window, *events]

    def _overheard(self, answers: Answers, window: Window, left_out: NDArray[np.bool_], long_average: LongAverage) -> HeardWindow:
        is_doubtful = window.anomalous or self._events.is_under_way or (self._recogniser is not None and self._recogniser.hears_real)
        return HeardWindow(answers.span, window.anomalous, answers.steady_nats, long_average, window, is_doubtful, left_out)

    def _heard(self, events: list[Event]) -> list[Window | Event]:
        """Let the ear know of the ends of events."""
        if self._ear is not None:
            for event in events:
                if event.type == "closed":
                    self._ear.end(event.id)
            if not self._events.is_under_way:
                self._ear.forget()
        return [*events]

    def _look(self) -> list[Window | Event]:
        """Ask about the window that ends with a block that stands out, to tell what is sure before the next of the regular grid.

        Not while sounds are recognised: the windows of the grid decide what is left out of them.
        """
        end, cells = self._timeline.cells, self.model.window_cells
        if end < cells or end == self._last_window_end:
            return []
        if self._recogniser is not None or not self._events.opens_early(self.model.window_s):
            return []
        with self.stopwatch.stage("look"):
            answers = self._scorer.ask(self._timeline.read(end, cells), self._long_average)
            if not self._scorer.is_sure(answers):
                return []
            window = self._scorer.window(answers)
        return self._heard(self._events.look(window))

    def _left_out(self, span: Span) -> NDArray[np.bool_]:
        """The cells of taught sounds, shape = (time,)."""
        if self._recogniser is None or self.model.steady is None:
            return np.zeros(span.last - span.first, np.bool_)
        return self._recogniser.explained(span.first, self.model.steady.sound.decibels(span.deviations[AVERAGES]))
