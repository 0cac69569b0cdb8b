"""Show machines, their sound and their events in a browser: of one node, or of all nodes at a broker."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from edge.config.load import load_dashboard_config
from edge.console.cli import guarded
from edge.console.log import configure_logging
from edge.dashboard.dashboard import Dashboard
from edge.dashboard.password import SHORTEST, hash_password
from edge.dashboard.settings import DashboardSettings
from edge.errors import UserError

EXAMPLE = """example:
  auscult dashboard --config /etc/auscult/config.yaml
  auscult dashboard --hash-password > dashboard-password

The configuration is that of a node, or a file with `mqtt:` and `dashboard:` only, on any computer that reaches the broker."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE", help="the configuration (default: config.yaml)")
    parser.add_argument("--listen", metavar="HOST:PORT", help="where the page listens, in place of dashboard.listen")
    parser.add_argument(
        "--hash-password",
        action="store_true",
        help="ask for a password and print its hash, which dashboard.password_file expects; then end",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until stopped."""
    if arguments.hash_password:
        print(hash_password(_password()))
        return 0
    config = load_dashboard_config(arguments.config)
    configure_logging(config.log.level)
    settings = DashboardSettings.of(config, arguments.config, arguments.listen)
    return guarded(lambda: _serve(settings))


def _serve(settings: DashboardSettings) -> int:
    with Dashboard(settings) as dashboard:
        print(f"dashboard: {dashboard.url}", flush=True)
        dashboard.serve()
    return 0


def _password() -> str:
    """From the terminal, twice; or a line of standard input."""
    if sys.stdin.isatty():
        password = getpass.getpass("password of the page: ")
        if password != getpass.getpass("the same again: "):
            raise UserError("--hash-password", "these were two different passwords; try again")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < SHORTEST:
        raise UserError("--hash-password", f"a password of this page has at least {SHORTEST} characters")
    return password
