"""All checks, causes before their consequences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.board import check_clips, check_clock, check_outbox, check_temperature
from edge.doctor.finding import Finding, examined, fail, ok, warn
from edge.doctor.sandbox import check_sandbox, is_installed
from edge.doctor.software import check_providers, check_software

if TYPE_CHECKING:
    from edge.config.schema import Config

# The checks in their order, by the first word of `Finding.check`: the question that each answers.
CHECKS = {
    "software": "Is the Python version supported, and can all packages be loaded?",
    "clock": "Is the clock synchronised? Alerts carry its time.",
    "temperature": "Is the board too hot, or throttled because of heat or a weak power supply?",
    "config": "Is `config.yaml` valid?",
    "sandbox": "May the service see and write every file that `config.yaml` names? Only where the service is installed.",
    "inference": "Does ONNX Runtime have the execution providers of `inference.providers`?",
    "source": "Does each source open, and does it give plausible sound? It is opened for half a second.",
    "bundle": "Can each bundle be loaded? Checks its checksums, its signature, its probe and the sample rate of its sources.",
    "broker": "Does the broker accept the connection: name, TCP, TLS, login and protocol?",
    "outbox": "Can the outbox be written, and does its disk have room?",
    "clips": "Can clips be written, and does their disk have room? Only with `clips.enabled`.",
    "metrics": "Can the metrics be served, and is the extra `[metrics]` there? Only with `metrics.listen`.",
    "processor": "Does the processor keep up with all sources? Scores a few seconds of noise for each.",
}


def examine(path: Path) -> Iterator[Finding]:
    """Examine this node with the configuration at `path`, one finding after the other. Nothing is raised, nothing is changed.

    What needs the packages is imported once these are known to load: a node where one is broken gets a finding too.
    """
    software = examined("software", check_software)
    yield software
    yield examined("clock", check_clock)
    yield examined("temperature", check_temperature)
    if software.verdict == "FAIL":
        return
    from edge.config.load import load_config

    loaded: list[Config] = []

    def look() -> Finding:
        config = load_config(path)
        loaded.append(config)
        sources = ", ".join(config.sources)
        return ok("config", f"{path}: node {config.node}, sources {sources}")

    finding = examined("config", look)
    if not loaded:
        yield fail(finding.check, finding.found, "sources, bundles, broker and disk are checked once this is corrected")
        return
    yield finding
    yield from examine_config(loaded[0])


def examine_config(config: Config) -> Iterator[Finding]:
    """Examine what a valid configuration names."""
    from edge.doctor.broker import check_broker
    from edge.doctor.bundles import BundleCheck
    from edge.doctor.headroom import CHECK, check_headroom, known_models
    from edge.doctor.learned import LearnedCheck
    from edge.doctor.sound import check_source

    if is_installed():
        yield examined("sandbox", lambda: check_sandbox(config))
    yield examined("inference", lambda: check_providers(config.inference.providers))
    rates_hz: dict[str, int | None] = {}
    for name, source in config.sources.items():
        heard = check_source(name, source)
        rates_hz[name] = heard.rate_hz
        yield heard.finding
    bundles = {source.bundle: BundleCheck(source.bundle) for source in config.sources.values() if source.bundle is not None}
    for path, bundle in bundles.items():
        yield bundle.look(config, {name: rates_hz[name] for name, source in config.sources.items() if source.bundle == path})
    learned = {name: LearnedCheck(name) for name, source in config.sources.items() if source.bundle is None}
    for one in learned.values():
        yield one.look(config)
    yield examined("broker", lambda: check_broker(config.mqtt, config.node))
    yield examined("outbox", lambda: check_outbox(config.outbox_path, config.outbox.capacity_mb))
    if config.clips.enabled:
        yield examined("clips", lambda: check_clips(config.clips_folder, config.clips.capacity_mb))
    if (listen := config.metrics.listen) is not None:
        from edge.doctor.metrics import check_metrics

        yield examined("metrics", lambda: check_metrics(listen))
    models = {name: (learned[name] if source.bundle is None else bundles[source.bundle]).model for name, source in config.sources.items()}
    pairs = known_models(models, rates_hz)
    if pairs:
        yield examined(CHECK, lambda: check_headroom(pairs))
    else:
        yield warn(CHECK, "not measured: there is no bundle yet" if learned else "not measured: no bundle can be used")
