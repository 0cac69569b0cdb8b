"""A valid configuration: read, checked, and with the models that its sources need."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.bundles.bundle import Bundle
from edge.bundles.signature import Trust
from edge.config.schema import Config
from edge.errors import BundleError, ConfigError
from edge.judgement.event_tracker import EventSettings
from edge.learning.learning import store_folder
from edge.learning.source_learner import unlearnable
from edge.learning.starter import starter_path
from edge.learning.versions import Versions
from edge.model import Model
from edge.mqtt.settings import BrokerSettings

LOG = logging.getLogger("auscult")
# Sections that a running daemon can take over; `dashboard` is none of its business.
LIVE = ("sources", "inference", "bundles", "events", "health", "dashboard", "log")
RESTART = "sudo systemctl restart auscult"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the daemon is to do."""

    config: Config
    models: Mapping[str, Model]  # by source; sources of equal bundles share one. One that learns by itself has none at first
    # By source: SHA-256 of the bundle that the configuration names, or else of the starter; one that was learned may stand for it.
    bases: Mapping[str, str]
    broker: BrokerSettings
    tls: ssl.SSLContext | None
    events: EventSettings

    @classmethod
    def of(cls, config: Config, before: Plan | None = None) -> Plan:
        """Load and verify all that `config` names. Models of `before` whose bundles and `inference` have not changed are taken over.

        Raises
        ------
        UserError
            when a bundle, a trusted key, the password or a TLS file cannot be used.
        """
        trust = Trust.of(config.bundles.trusted_keys, require_signature=config.bundles.require_signature)
        same = before is not None and before.config.inference == config.inference
        known = {model.bundle.sha256: model for model in before.models.values()} if before is not None and same else {}

        def model_of(bundle: Bundle) -> Model:
            if bundle.sha256 not in known:
                known[bundle.sha256] = Model(bundle, config.inference.providers, config.inference.threads)
            return known[bundle.sha256]

        paths = dict.fromkeys(source.bundle for source in config.sources.values() if source.bundle is not None)
        named = {path: Bundle.read(path, trust) for path in paths}
        models, bases = {}, {}
        for name, source in config.sources.items():
            folder = store_folder(config.state_folder, name)
            base = _starter(name, folder) if source.bundle is None else named[source.bundle]
            if base is None:
                continue
            models[name] = model_of(base)
            bases[name] = base.sha256
            if source.learn is None:
                continue
            if problem := unlearnable(models[name]):
                raise BundleError(base.path, f"{problem}, or leave out sources.{name}.learn")
            versions = Versions(folder)
            if (chosen := versions.chosen(base.sha256)) is not None:
                try:
                    models[name] = model_of(Bundle.read(versions.path(chosen)))
                except BundleError as error:
                    LOG.error("%s: %s; %s is in force instead", name, error, base.path)
        broker = BrokerSettings.from_config(config.mqtt)
        tls = broker.tls.context() if broker.tls is not None else None
        events = EventSettings(**msgspec.structs.asdict(config.events))
        return cls(config, models, bases, broker, tls, events)

    def judges(self, name: str) -> bool:
        """Whether a source has more to listen with than its starter, which judges nothing."""
        is_named = self.config.sources[name].bundle is not None
        return is_named or (name in self.models and self.models[name].bundle.sha256 != self.bases[name])

    def bundle(self, name: str) -> Bundle | None:
        """What judges a source; None while it only listens."""
        return self.models[name].bundle if self.judges(name) else None


def _starter(name: str, store: Path) -> Bundle | None:
    """What a source begins with that has no bundle; None when that is not made yet."""
    path = starter_path(store)
    if not path.exists():
        return None
    try:
        return Bundle.read(path)
    except BundleError as error:
        LOG.error("%s: %s; it is made anew", name, error)
        path.unlink(missing_ok=True)
        return None


def check_live(before: Config, after: Config, subject: Path) -> None:
    """Raise ConfigError when the change from one configuration to the other is more than a running daemon can take over."""
    changed = [key for section in after.__struct_fields__ if section not in LIVE for key in _changes(before, after, section)]
    if changed:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise ConfigError(subject, f"{changed[0]}{more} has changed, which needs a restart: {RESTART}")


def _changes(before: msgspec.Struct, after: msgspec.Struct, key: str) -> list[str]:
    """The keys that differ, as they are written in config.yaml."""
    old, new = getattr(before, key), getattr(after, key)
    if old == new:
        return []
    if not (isinstance(old, msgspec.Struct) and isinstance(new, msgspec.Struct)):
        return [key]
    return [f"{key}.{name}" for inner in new.__struct_fields__ for name in _changes(old, new, inner)]
