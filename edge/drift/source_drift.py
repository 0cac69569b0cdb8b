"""Measures the drift of one source: takes normal windows, and looks at the history when an hour is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.drift.drift_report import DriftReport
from edge.drift.forecast import PresentWindow
from edge.drift.history import History
from edge.drift.hour import SCORE, OpenHour
from edge.drift.measured import measure
from edge.errors import StoreError
from edge.judgement.judge import AVERAGES
from edge.judgement.overhearing import HeardWindow
from edge.model import Model
from edge.remote.background_writer import Problem, Write, at_once

LOG = logging.getLogger("auscult.drift")
Float64 = NDArray[np.float64]

HOUR_S = 3600.0
CLOCK_SET_S = 60.0  # within an hour, which is left out then
MOST_PRESENT = 8  # windows that tell when the threshold is reached
DAMAGED = ".damaged"


class SourceDrift:
    """An `Overhearing`, used by the worker's thread alone; what is kept lies in one file."""

    def __init__(
        self,
        source: str,
        path: Path,
        write: Write = at_once,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        hour_s: float = HOUR_S,
    ) -> None:
        """`write` has the file read and written. `wall` is the clock, `steady` one that nobody sets; an hour takes `hour_s` of both."""
        self.report: DriftReport | None = None  # None until there was an hour, of this run or one before
        self.problem: str | None = None  # why the last hour was not kept
        self._source = source
        self._path = path
        self._have_written = write
        self._wall = wall
        self._steady = steady
        self._hour_s = hour_s
        self._model: Model | None = None
        self._hour: OpenHour | None = None
        self._offset_s = 0.0
        self._present: list[PresentWindow] = []
        self._next_cell = 0
        self._is_busy = False
        self._is_resumed = False

    def begin(self, model: Model) -> None:
        """See `Overhearing.begin`. The hour goes on, for its levels are of the same sound."""
        if self._model is not None and _edges(self._model) != _edges(model):
            self._hour = None
        self._model = model
        self._next_cell = 0
        self._present.clear()

    def window(self, heard: HeardWindow) -> None:
        """See `Overhearing.window`."""
        if self._model is None or self._model.steady is None:
            return
        try:
            self._window(heard, self._model)
        except Exception:  # of whatever kind: the scores go on
            LOG.exception("%s: drift is not measured any more", self._source)
            self._model = None

    def _window(self, heard: HeardWindow, model: Model) -> None:
        span, window = heard.span, heard.judged
        if span.first < self._next_cell:
            return
        self._next_cell = span.last
        if not self._is_resumed:
            self._is_resumed = True
            self._resume(_edges(model))
        now_s = self._wall()
        at, offset_s = int(now_s // self._hour_s), now_s - self._steady()
        if self._hour is not None and abs(offset_s - self._offset_s) > CLOCK_SET_S * self._hour_s / HOUR_S:
            self._hour = None
        if self._hour is not None and self._hour.at != at:
            self._close(self._hour, model)
            self._hour = None
        if self._hour is None:
            self._hour, self._offset_s = OpenHour(at, model.bundle.sha256), offset_s
        if heard.is_doubtful or span.lost_cells or window.score is None:
            return
        assert model.steady is not None
        layout = model.steady.sound.layout
        mean = model.steady.sound.mean(span.deviations[AVERAGES])
        spectrum = mean[layout.columns["decibels"]]
        if not np.isfinite(spectrum).all():
            return
        self._hour.bundle = model.bundle.sha256
        self._hour.add(spectrum.astype(np.float32), {SCORE: window.score, **window.heads})
        if window.surprise and window.score and len(self._hour.spectra) % 40 == 1:  # a few of an hour
            long_mean, long_cells = heard.long_average.mean(span.last)
            alarm = window.surprise / window.score
            present = PresentWindow(mean, span.last - span.first, long_mean, long_cells, window.surprise, heard.steady_nats, alarm)
            self._present = [*self._present, present][-MOST_PRESENT:]

    def _resume(self, edges: tuple[tuple[float, float], ...]) -> None:
        """Tell again what was told last; a file that cannot be read is dealt with at the end of the hour."""
        found: list[DriftReport] = []

        def job() -> Problem:
            try:
                history = History.read(self._path)
            except (StoreError, OSError):
                return None
            if history is not None and history.edges_hz == edges and history.report is not None:
                found.append(history.report)
            return None

        def then(_problem: Problem) -> None:
            if found and self.report is None:
                self._tell(found[0])

        self._have_written(job, then)

    def _close(self, hour: OpenHour, model: Model) -> None:
        if self._is_busy:
            LOG.error("%s: the disk is too slow; an hour is missing from the drift", self._source)
            return
        present, now_s = list(self._present), self._wall()
        found: list[DriftReport] = []

        def job() -> Problem:
            try:
                report = self._take(hour, model, present, now_s)
            except OSError as error:
                return f"{self._path}: cannot be read or written ({error.strerror or error})"
            if report is not None:
                found.append(report)
            return None

        def then(problem: Problem) -> None:
            self._is_busy = False
            self.problem = problem
            if problem is not None:
                LOG.error("%s: drift is not kept: %s", self._source, problem)
            elif found:
                self._tell(found[0])

        self._is_busy = True
        self._have_written(job, then)

    def _take(self, hour: OpenHour, model: Model, present: list[PresentWindow], now_s: float) -> DriftReport | None:
        """In the writer's thread. The file is read each time: somebody may have deleted it, to begin anew."""
        edges = _edges(model)
        try:
            history = History.read(self._path)
        except StoreError as error:
            LOG.error("%s", error)
            self._path.replace(self._path.with_name(self._path.name + DAMAGED))
            history = None
        if history is not None and history.edges_hz != edges:
            LOG.warning("%s: the bundle hears other bands than before; drift is measured anew", self._source)
            history = None
        if history is None:
            history = History(edges_hz=edges, began=hour.at)
        if history.add(hour) is None:
            return None
        report = history.report = measure(history, model, present, now_s)
        history.write(self._path)
        return report

    def _tell(self, report: DriftReport) -> None:
        before = "waiting" if self.report is None else self.report.state
        if report.state == "drifting" and before != "drifting":
            bands = ", ".join(f"{one.f_lo_hz:.0f}-{one.f_hi_hz:.0f} Hz {one.slope.per_week:+.1f} dB per week" for one in report.bands)
            LOG.warning("%s: drifts: %s", self._source, bands or "level or tilt")
        elif before == "drifting" and report.state != "drifting":
            LOG.info("%s: drifts no longer", self._source)
        self.report = report


def _edges(model: Model) -> tuple[tuple[float, float], ...]:
    assert model.steady is not None
    return tuple((round(float(low), 2), round(float(high), 2)) for low, high in model.steady.sound.layout.edges_hz)
