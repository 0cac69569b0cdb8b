"""Listen to every source of config.yaml and publish over MQTT until stopped."""

from __future__ import annotations

import argparse
import os
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from edge.allocator import keep_level
from edge.clips.clip_folder import ClipFolder
from edge.config.load import load_config
from edge.config.schema import Config
from edge.console.cli import guarded
from edge.console.log import configure_logging
from edge.node.assembly import Assembly
from edge.node.daemon import Daemon
from edge.node.plan import Plan
from edge.node.stragglers import leave
from edge.outbox.ledger_file import files_of
from edge.private_files import narrow

EXAMPLE = """example:
  auscult run --config /etc/auscult/config.yaml
  mosquitto_sub -v -t 'auscult/#'

SIGHUP makes it read its configuration again. It applies all of it without losing a window, or nothing, and the log says why.
SIGTERM stops it cleanly (exit code 0). When all sources have ended (files, stdin), the daemon ends."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE", help="the configuration (default: config.yaml)")


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon."""
    keep_level()
    config = load_config(arguments.config)
    configure_logging(config.log.level)
    keep_private(config)
    daemon = Assembly(Plan.of(config)).daemon(arguments.config)
    others = threading.enumerate()
    with _metrics(config, daemon):
        code = guarded(daemon.run)
    return leave(code, others)


def _metrics(config: Config, daemon: Daemon) -> AbstractContextManager[None]:
    """Serve metrics where the configuration says so; else nothing of that is even imported."""
    if config.metrics.listen is None:
        return nullcontext()
    from edge.metrics.serving import served

    return served(config.metrics.listen, daemon.report)


def keep_private(config: Config) -> None:
    """Shut other users out of all that the node writes, and of what an earlier version has left open.

    Of folders only the state folder and what is in it are narrowed: whoever named another one decides who may look into it.
    """
    os.umask(0o077)
    state = config.state_folder
    narrow((Path(place, name) for place, _, files in os.walk(state) for name in (".", *files)), str(state))
    narrow(files_of(config.outbox_path), str(config.outbox_path))
    narrow(ClipFolder.of(config).files(), str(config.clips_folder))
