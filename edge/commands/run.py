"""Listen to every source of config.yaml and publish over MQTT until stopped."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from edge.bundles.signature import Trust
from edge.config.load import load_config
from edge.config.schema import Config, SourceConfig
from edge.judgement.event_tracker import EventSettings
from edge.model import Model
from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.topics import Topics
from edge.node.daemon import Daemon
from edge.node.health import HealthReporter, InferenceTimes
from edge.node.source_publisher import SourcePublisher
from edge.node.source_worker import SourceWorker
from edge.outbox import Outbox
from edge.pipeline import Listener
from edge.sources import make_source

EXAMPLE = """example:
  auscult run --config /etc/auscult/config.yaml
  mosquitto_sub -v -t 'auscult/#'

SIGTERM stops it cleanly (exit code 0). Sources that end (files, stdin) end the daemon when all have ended."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE", help="the configuration (default: config.yaml)")


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon."""
    config = load_config(arguments.config)
    configure_logging(config.log.level)
    return make_daemon(config).run()


def configure_logging(level: str) -> None:
    """Log to stderr, one line each; under systemd the journal adds the time, but a terminal or a container does not."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        force=True,
    )


def make_daemon(config: Config) -> Daemon:
    """Put the daemon together: bundles are loaded and checked here, nothing is opened or connected yet.

    Raises
    ------
    UserError
        when a bundle, a trusted key, the password or a TLS file cannot be used.
    """
    topics = Topics(config.node, config.mqtt.base_topic)
    trust = Trust.of(config.bundles.trusted_keys, require_signature=config.bundles.require_signature)
    # Machines of one kind may share a bundle.
    models = {path: Model.load(path, config.inference.providers, config.inference.threads, trust) for path in _bundle_paths(config)}
    outbox = Outbox(
        config.outbox_path,
        capacity_bytes=round(config.outbox.capacity_mb * 1e6),
        keep_s=config.outbox.keep_days * 86_400.0,
    )
    publisher = Publisher(BrokerSettings.from_config(config.mqtt), topics.status, outbox=outbox, replays_per_s=config.outbox.replays_per_s)
    inference = InferenceTimes()
    events = EventSettings(
        minimum_duration_s=config.events.minimum_duration_s,
        cooldown_s=config.events.cooldown_s,
        release_score=config.events.release_score,
        update_interval_s=config.events.update_interval_s,
    )

    def make_worker(name: str, source: SourceConfig) -> SourceWorker:
        model = models[source.bundle]
        bundle = model.bundle
        voice = SourcePublisher(name, publisher, topics, bundle.manifest.detector.name, bundle.sha256)
        return SourceWorker(make_source(name, source), bundle, lambda rate_hz: Listener(model, rate_hz, events), voice, inference)

    workers = {name: make_worker(name, source) for name, source in config.sources.items()}
    disk = _bundle_paths(config)[0].absolute().parent
    return Daemon(config.node, workers, publisher, topics, HealthReporter(inference, disk), config.health.interval_s)


def _bundle_paths(config: Config) -> list[Path]:
    return list(dict.fromkeys(source.bundle for source in config.sources.values()))
