"""Learns from one source: test, then train. What it keeps was judged first by the bundle in force, which had not heard it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.detectors.patchcore import PatchCore
from edge.errors import AuscultError
from edge.judgement.overhearing import HeardWindow
from edge.learning.guard import Guard
from edge.learning.head_values import head_values, value_names
from edge.learning.learning_report import LearningReport, LearningState, SourceState
from edge.learning.open_stretch import OpenStretch
from edge.learning.store import STORE, Store, StoreKind
from edge.learning.stretch import Stretch
from edge.model import Model
from edge.remote.background_writer import Problem, Write, at_once

LOG = logging.getLogger("auscult.learning")
Float32 = NDArray[np.float32]

VALUES_EVERY_S = 5.0  # a moment is in two of the windows whose values are kept
MOST_WAITING = 3  # stretches that a slow disk has not taken yet
DAY_S = 86_400.0
GATHERING = LearningReport("waiting", "the first minutes of sound are gathered")


class _ForgottenError(Exception):
    """The store was deleted, and with it the bundle in force; another projection will be that of the next."""


class SourceLearner:
    """Takes stretches of what a listener hears to the store. An `Overhearing`; used by the worker's thread alone."""

    def __init__(
        self, source: str, folder: Path, days: float | None, write: Write = at_once, wall: Callable[[], float] = time.time
    ) -> None:
        """The store lies in `folder`; `write` has it written. `days` of learned sound are enough; None learns nothing."""
        self.days = days
        self.waits: Callable[[], bool] = lambda: False  # whether a file should be played on later, by the bundle that is being made
        self.is_listening = False  # nothing is judged yet
        self._source = source
        self._folder = folder
        self._have_written = write
        self._wall = wall
        self._store: Store | None = None  # touched by the writer's thread alone
        self._report = LearningReport()
        self.model: Model | None = None  # that is overheard
        self.guard = Guard()
        self._open: list[OpenStretch] = []
        self._next_cell = -1
        self._run = 0
        self._hops = 0
        self._waiting = 0

    def begin(self, model: Model) -> None:
        """Another listener is overheard from now on. What was not kept yet of the one before is forgotten."""
        self.model = model
        self._open.clear()
        self.guard.begin(model.bundle.sha256)
        self._next_cell = -1
        self._hops = 0
        if self.days is not None:
            self._ask(lambda: self._look(model))

    def end(self) -> None:
        """Nobody listens with a model any more."""
        self.model = None
        self._open.clear()

    @property
    def learned_s(self) -> float:
        """Seconds of normal sound in the store, as far as is known."""
        return self._report.learned_s

    @property
    def report(self) -> LearningReport | None:
        """How learning fares; None when it is off."""
        if self.model is None and self.is_listening and self.days is not None:
            return GATHERING
        return None if self.days is None else self._report

    @property
    def state(self) -> SourceState:
        """How far the source is."""
        if self.is_listening:
            return "listening"
        return "settled" if self._report.state in ("over", "frozen") else "watching"

    def patches(self, first_cell: int, patches: Mapping[str, Float32]) -> None:
        """See `Overhearing.patches`."""
        if self.days is not None and self.model is not None:
            with self._contained():
                self._patches(first_cell, patches, self.model)

    def window(self, heard: HeardWindow) -> None:
        """See `Overhearing.window`."""
        if self.days is not None and self.model is not None:
            with self._contained():
                self._window(heard, self.model)

    def _patches(self, first_cell: int, patches: Mapping[str, Float32], model: Model) -> None:
        count = len(next(iter(patches.values())))
        is_gap = first_cell != self._next_cell
        self._next_cell = first_cell + count
        newest = self._open[-1] if self._open else None
        if newest is None or (is_gap and first_cell >= newest.last_cell):
            self._run += 1
            newest = self._begin_stretch(first_cell, model)
        newest.take(first_cell, patches)
        if self._next_cell > newest.last_cell:
            self._begin_stretch(newest.last_cell, model).take(first_cell, patches)

    def _window(self, heard: HeardWindow, model: Model) -> None:
        span = heard.span
        self.guard.hear(heard, model.hop_s)
        is_due = self._hops % max(1, round(VALUES_EVERY_S / model.hop_s)) == 0
        self._hops += 1
        for stretch in self._open:
            if span.first < stretch.last_cell and span.last > stretch.first_cell:
                for first, last in self.guard.forbidden(heard):
                    stretch.avoid(first, last)
            if stretch.last_cell <= span.last:
                stretch.average(heard.long_average)
            if is_due and not span.lost_cells and not heard.left_out.any() and stretch.first_cell < span.last <= stretch.last_cell:
                stretch.add_values(head_values(model.detector.features, heard))
        while self._open and self._open[0].last_cell <= span.first:
            self._close(self._open.pop(0), model)

    @cached_property
    def _rng(self) -> np.random.Generator:
        return np.random.default_rng()  # late: numpy.random takes 1.5 MB, which a node that learns nothing should not pay

    @contextmanager
    def _contained(self) -> Iterator[None]:
        """Whatever goes wrong in here ends the learning, and nothing else."""
        try:
            yield
        except Exception:  # of whatever kind: the scores go on
            LOG.exception("%s: learning failed unexpectedly", self._source)
            self.model = None
            self._pause("failed unexpectedly; the log has the details; it begins anew with the next stream")

    def _begin_stretch(self, first_cell: int, model: Model) -> OpenStretch:
        self._open.append(OpenStretch(first_cell, model.window_cells, self._run, self._rng))
        return self._open[-1]

    def _close(self, stretch: OpenStretch, model: Model) -> None:
        kept = stretch.closed(model.bundle.sha256, self._wall(), model.front_end.cell_s)
        if kept is None:
            return
        if self._waiting >= MOST_WAITING:
            self._pause(f"{self._folder}: the disk is too slow")
            return
        self._ask(lambda: self._keep(kept, model))

    def _ask(self, job: Callable[[], LearningReport]) -> None:
        found: list[LearningReport] = []

        def done() -> Problem:
            found.append(job())
            return None

        def then(problem: Problem) -> None:
            self._waiting -= 1
            self._tell(found[0] if found else self._failed(problem or ""))

        self._waiting += 1
        self._have_written(done, then)

    def _look(self, model: Model) -> LearningReport:
        """In the writer's thread: open the store, or make one."""
        try:
            return self._reported(self._opened(model))
        except _ForgottenError:
            return LearningReport("waiting", "forgotten; it begins anew")
        except OSError as error:
            return self._failed(f"{self._folder}: cannot be written ({error.strerror or error})")
        except AuscultError as error:
            return self._failed(str(error))

    def _keep(self, stretch: Stretch, model: Model) -> LearningReport:
        """In the writer's thread: add a stretch."""
        try:
            store = self._opened(model)
            if self._reported(store).is_learning:
                store.add(stretch)
            return self._reported(store)
        except _ForgottenError:
            return LearningReport("waiting", "forgotten; it begins anew")
        except OSError as error:
            self._store = None  # what is in the file is looked at before more is added
            return self._failed(f"{self._folder}: cannot be written ({error.strerror or error})")
        except AuscultError as error:
            return self._failed(str(error))

    def _opened(self, model: Model) -> Store:
        kind, projection = _kind_of(model)
        if self._store is None or not self._store.is_there or self._store.description.kind != kind:
            if not (self._folder / STORE).exists() and not model.bundle.path.exists():
                raise _ForgottenError
            self._store = Store.opened(self._folder, self._source, kind, projection)
        return self._store

    def _reported(self, store: Store) -> LearningReport:
        state: LearningState = "learning"
        reason = None
        if store.is_frozen:
            state, reason = "frozen", "frozen; `auscult learn --resume` goes on"
        elif store.learned_s >= DAY_S * (self.days or 0.0):
            state, reason = "over", f"learned for {self.days:g} days, which ends it"
        return LearningReport(state, reason, store.learned_s, store.stored_bytes, store.written_bytes)

    def _failed(self, reason: str) -> LearningReport:
        known = self._report
        return LearningReport("failing", reason, known.learned_s, known.stored_bytes, known.written_bytes)

    def _pause(self, reason: str) -> None:
        self._tell(self._failed(reason))

    def _tell(self, report: LearningReport) -> None:
        if report.reason != self._report.reason:
            if report.reason is not None:
                LOG.log(logging.ERROR if report.is_trouble else logging.INFO, "%s: not learning: %s", self._source, report.reason)
            elif self._report.reason is not None:
                LOG.info("%s: learning again", self._source)
        self._report = report


def unlearnable(model: Model) -> str | None:
    """Why nothing can be learned with a bundle, in words that complete its name; None when it can."""
    if not isinstance(model.detector, PatchCore):
        return f"its detector {model.bundle.manifest.detector.name} cannot learn in place; make a bundle of the detector patchcore"
    if model.steady is None or "excess" not in model.detector.features:
        return "lacks heads that learning in place needs; calibrate again, in the mode stream and with all heads"
    return None


def _kind_of(model: Model) -> tuple[StoreKind, dict[str, Float32]]:
    assert isinstance(model.detector, PatchCore)
    projection = model.detector.projection
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(projection[name]).tobytes() for name in sorted(projection)))
    kind = StoreKind(
        front_end=model.front_end.name,
        backbone=model.backbone.name,
        backbone_sha256=model.backbone.sha256,
        bandwidth_hz=model.bandwidth_hz,
        window_cells=model.window_cells,
        features=tuple(model.detector.features),
        values=value_names(model.detector.features),
        projection=digest.hexdigest(),
    )
    return kind, projection
