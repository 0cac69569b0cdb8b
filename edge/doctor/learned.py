"""Check what a source that has no bundle of its own has learned."""

from __future__ import annotations

from dataclasses import dataclass

from edge.bundles.bundle import Bundle
from edge.config.schema import Config
from edge.doctor.finding import Finding, examined, ok
from edge.learning.learning import store_folder
from edge.learning.starter import starter_path
from edge.learning.versions import Versions
from edge.model import Model


@dataclass(slots=True)
class LearnedCheck:
    """The examination of one source; `model` is there afterwards when there is one."""

    source: str
    model: Model | None = None

    def look(self, config: Config) -> Finding:
        """Load what listens to the source, as the daemon does."""
        return examined(self.name, lambda: self._loaded(config))

    @property
    def name(self) -> str:
        """What the report calls it."""
        return f"bundle {self.source}"

    def _loaded(self, config: Config) -> Finding:
        learn = config.sources[self.source].learn
        first = 0.0 if learn is None else learn.first_minutes
        folder = store_folder(config.state_folder, self.source)
        path = starter_path(folder)
        listening = f"none yet: it learns by itself, and alarms begin after about {first:.0f} min of sound"
        if not path.exists():
            return ok(self.name, listening)
        version = Versions(folder).chosen(Bundle.read(path).sha256)
        if version is not None:
            path = Versions(folder).path(version)
        self.model = Model.load(path, config.inference.providers, config.inference.threads)
        if version is None:
            return ok(self.name, listening)
        told = f"{path}: version {version.number}, of {version.learned_s / 3600.0:.1f} h of learned sound"
        return ok(self.name, f"{told}; verified, probe passed")
