"""The drift of all sources of a node, and the thread that reads and writes it."""

from __future__ import annotations

from pathlib import Path

from edge.drift.source_drift import SourceDrift
from edge.remote.background_writer import BackgroundWriter

FOLDER, SUFFIX = "drift", ".drift"


def drift_file(state_folder: Path, source: str) -> Path:
    """Where the drift of a source is kept. Whoever deletes it sets a new reference."""
    return state_folder / FOLDER / f"{source}{SUFFIX}"


class Drifts:
    """Used by the worker's thread."""

    def __init__(self, state_folder: Path) -> None:
        self._state_folder = state_folder
        self._writer = BackgroundWriter()
        self._sources: dict[str, SourceDrift] = {}

    def of(self, source: str) -> SourceDrift:
        """That of a source, the same one each time."""
        if source not in self._sources:
            self._sources[source] = SourceDrift(source, drift_file(self._state_folder, source), self._writer.write)
        return self._sources[source]

    def poll(self) -> None:
        """Take what was measured."""
        self._writer.poll()

    def close(self) -> None:
        """Write what waits; not for long."""
        self._writer.close()
