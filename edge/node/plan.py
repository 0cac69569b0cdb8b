"""A valid configuration: read, checked, and with the models that its sources need."""

from __future__ import annotations

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
from edge.learning.source_learner import unlearnable
from edge.model import Model
from edge.mqtt.settings import BrokerSettings

LIVE = ("sources", "inference", "bundles", "events", "health", "log")  # sections that a running daemon can take over
RESTART = "sudo systemctl restart auscult"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the daemon is to do."""

    config: Config
    models: Mapping[str, Model]  # by source; sources of equal bundles share one
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
        by_path: dict[Path, Model] = {}
        for path in dict.fromkeys(source.bundle for source in config.sources.values()):
            bundle = Bundle.read(path, trust)
            if bundle.sha256 not in known:
                known[bundle.sha256] = Model(bundle, config.inference.providers, config.inference.threads)
            by_path[path] = known[bundle.sha256]
        for name, source in config.sources.items():
            if source.learn is not None and (problem := unlearnable(by_path[source.bundle])):
                raise BundleError(source.bundle, f"{problem}, or leave out sources.{name}.learn")
        broker = BrokerSettings.from_config(config.mqtt)
        tls = broker.tls.context() if broker.tls is not None else None
        events = EventSettings(**msgspec.structs.asdict(config.events))
        return cls(config, {name: by_path[source.bundle] for name, source in config.sources.items()}, broker, tls, events)


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
