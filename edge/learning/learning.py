"""Learning in place on one node: a learner for each source, and the thread that writes what they keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge.config.schema import SourceConfig
from edge.learning.source_learner import SourceLearner
from edge.remote.background_writer import BackgroundWriter

FOLDER = "learning"


class Learning:
    """Used by the worker's thread. What is kept lies in `learning` in the state folder."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / FOLDER
        self._writer = BackgroundWriter()
        self._learners: dict[str, SourceLearner] = {}

    def learner(self, source: str) -> SourceLearner:
        """A source's, the same one each time; it learns nothing until `adopt` says so."""
        if source not in self._learners:
            self._learners[source] = SourceLearner(source, self._folder / source, None, self._writer.write)
        return self._learners[source]

    def adopt(self, sources: Mapping[str, SourceConfig]) -> None:
        """From now on learn from these sources as they say, and from no other."""
        for name in {*self._learners, *sources}:
            learn = sources[name].learn if name in sources else None
            self.learner(name).days = None if learn is None else learn.days

    def poll(self) -> None:
        """Do what follows from what is written."""
        self._writer.poll()

    def close(self) -> None:
        """Write what waits; not for long."""
        self._writer.close()
