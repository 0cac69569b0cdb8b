"""Learning in place on one node: for each source a learner and what makes bundles of its store; and the thread that writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.config.schema import SourceConfig
from edge.errors import StoreError
from edge.learning.fitting import Fitting, due_s
from edge.learning.source_learner import SourceLearner
from edge.learning.versions import Version, Versions
from edge.model import BACKBONE_MEMBER
from edge.remote.background_writer import BackgroundWriter, Problem

FOLDER = "learning"
LOOK_EVERY_S = 2.0
LAST_WORTH_S = 600.0  # when learning is over, so much more than the last bundle knows is worth another

Reload = Callable[[], object]


def store_folder(state_folder: Path, source: str) -> Path:
    """Where a source's store lies."""
    return state_folder / FOLDER / source


@dataclass(frozen=True, slots=True)
class _Source:
    """What is known of a source that may learn."""

    learner: SourceLearner
    fitting: Fitting
    versions: Versions


class Learning:
    """Used by the worker's thread. What is kept lies in `learning` in the state folder."""

    def __init__(self, state_folder: Path, fit_command: tuple[str, ...] = (), clock: Callable[[], float] = time.monotonic) -> None:
        """`fit_command` runs `calibrate`; this Python's own if it is empty."""
        self.reload: Reload = lambda: None
        self._state_folder = state_folder
        self._fit_command = fit_command
        self._clock = clock
        self._writer = BackgroundWriter()
        self._sources: dict[str, _Source] = {}
        self._bases: Mapping[str, str] = {}
        self._asked: dict[str, str] = {}  # the bundle of each source for which a reload was asked
        self._look_at_s = 0.0

    def learner(self, source: str) -> SourceLearner:
        """A source's, the same one each time; it learns nothing until `adopt` says so."""
        return self._source(source).learner

    def adopt(self, sources: Mapping[str, SourceConfig], bases: Mapping[str, str]) -> None:
        """From now on learn from these sources as they say; `bases` are the SHA-256 of the bundles that the configuration names."""
        self._bases = bases
        for name in {*self._sources, *sources}:
            learn = sources[name].learn if name in sources else None
            self.learner(name).days = None if learn is None else learn.days
            if learn is None:
                self._sources[name].fitting.stop()

    def versions(self, source: str) -> tuple[Version, ...]:
        """Those of a source that are kept, the oldest first."""
        return self._source(source).versions.kept(self._bases.get(source, ""))

    def next_due_s(self, source: str) -> float:
        """At how many seconds of learned sound the next version is made."""
        return due_s(max((one.learned_s for one in self.versions(source)), default=0.0))

    def problem(self, source: str) -> str | None:
        """Why the last bundle could not be made; None when it could."""
        return self._source(source).fitting.problem

    def is_making(self, source: str) -> bool:
        """Whether a bundle is being made."""
        return self._source(source).fitting.is_busy

    def roll_back(self, source: str, on_done: Callable[[int | None, str | None], None]) -> None:
        """Choose the version before the one in force; `on_done` hears its number (None for the configuration's bundle), or a problem."""
        if self.learner(source).days is None:
            on_done(None, f"{source} does not learn; add `learn: {{days: 7}}` to sources.{source} in the configuration")
            return
        found: list[Version | None] = []

        def job() -> Problem:
            try:
                found.append(self._sources[source].versions.roll_back(self._bases[source]))
            except (StoreError, OSError) as error:
                return str(error)
            return None

        def then(problem: Problem) -> None:
            self._look_at_s = self._clock()
            on_done(found[0].number if found and found[0] is not None else None, problem)

        self._writer.write(job, then)

    def poll(self) -> None:
        """Do what follows from what is written, make bundles when it is time, and have a bundle taken over when another is chosen."""
        self._writer.poll()
        if self._clock() < self._look_at_s:
            return
        self._look_at_s = self._clock() + LOOK_EVERY_S
        for name, source in self._sources.items():
            if source.learner.days is not None and name in self._bases and source.learner.model is not None:
                self._look(name, source)

    def close(self) -> None:
        """Write what waits; not for long. Bundles that are being made are given up."""
        for source in self._sources.values():
            source.fitting.stop()
        self._writer.close()

    def _look(self, name: str, source: _Source) -> None:
        base, model = self._bases[name], source.learner.model
        assert model is not None
        source.fitting.poll()
        if not source.fitting.is_busy and self._is_due(name, source):
            source.fitting.begin(source.learner.learned_s, base, model.bundle.manifest)
        chosen = source.versions.chosen(base)
        wanted = base if chosen is None else chosen.sha256
        if wanted != model.bundle.sha256 and self._asked.get(name) != wanted:
            self._asked[name] = wanted
            self.reload()
        elif wanted == model.bundle.sha256:
            self._asked.pop(name, None)

    def _is_due(self, name: str, source: _Source) -> bool:
        report, model = source.learner.report, source.learner.model
        if report is None or report.state not in ("learning", "over"):
            return False
        if model is None or BACKBONE_MEMBER in model.bundle.manifest.members:
            return False  # whoever has the backbone's file makes the bundles
        last_s = max((one.learned_s for one in self.versions(name)), default=0.0)
        is_last = report.state == "over" and report.learned_s >= max(LAST_WORTH_S, last_s + LAST_WORTH_S)
        return report.learned_s >= due_s(last_s) or is_last

    def _source(self, name: str) -> _Source:
        if name not in self._sources:
            folder = store_folder(self._state_folder, name)
            learner = SourceLearner(name, folder, None, self._writer.write)
            self._sources[name] = _Source(learner, Fitting(name, folder, self._fit_command, self._clock), Versions(folder))
        return self._sources[name]
