"""Check that a bundle can be used on this node, with the sources that name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.bundles.signature import Trust
from edge.config.schema import Config
from edge.doctor.finding import Finding, examined, ok, warn
from edge.model import Model


@dataclass(slots=True)
class BundleCheck:
    """The examination of one bundle; `model` is there afterwards when it could be loaded."""

    path: Path
    model: Model | None = None

    def look(self, config: Config, rates_hz: Mapping[str, int | None]) -> Finding:
        """Load the bundle as the daemon does, which verifies it, its signature and its probe, and hold it against the rates of its sources.

        Parameters
        ----------
        rates_hz : the sources that use it -> their sample rate, None where that is not known.
        """
        return examined(self.name, lambda: self._loaded(config, rates_hz))

    @property
    def name(self) -> str:
        """What the report calls it."""
        return f"bundle {self.path.name}"

    def _loaded(self, config: Config, rates_hz: Mapping[str, int | None]) -> Finding:
        trust = Trust.of(config.bundles.trusted_keys, require_signature=config.bundles.require_signature)
        model = Model.load(self.path, config.inference.providers, config.inference.threads, trust)
        for source, rate_hz in rates_hz.items():
            if rate_hz is not None:
                model.check_rate(rate_hz, f"the source {source}")
        self.model = model
        manifest = model.bundle.manifest
        told = (
            f"{self.path}: {manifest.detector.name} on {model.backbone.name} ({model.backbone.precision}), "
            f"calibrated {manifest.created_at[:10]} on {manifest.data.seconds / 60:.0f} min"
        )
        if manifest.probe is None:
            return warn(self.name, f"{told}; it has no probe of this processor's arithmetic", "calibrate again with this version")
        return ok(self.name, f"{told}; verified, probe passed")
