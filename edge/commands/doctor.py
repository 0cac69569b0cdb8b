"""`auscult doctor`: check everything that the daemon needs on this node, and say how to correct what is wrong."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edge.console.output import printable
from edge.doctor.examination import examine
from edge.doctor.finding import Finding
from edge.doctor.sandbox import take_state_folder
from edge.doctor.support import check_new, default_name, support_parts, write_archive
from edge.errors import UserError

CHECK_WIDTH = 18  # most names fit; a longer one moves its own line only
EXAMPLE = """example:
  sudo -u auscult auscult doctor --config /etc/auscult/config.yaml

One line for each check: OK, WARN (it runs, but not as well as it could) or FAIL. The exit code is 0 without a FAIL, else 1.
Run it as the user who runs the daemon, and before the daemon: a microphone can be in use by one program only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "Check this node: software, clock, temperature, settings, sources, bundles, broker, disk and processor."
    parser.epilog = EXAMPLE
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE", help="the configuration (default: %(default)s)")
    parser.add_argument(
        "--support",
        type=Path,
        nargs="?",
        const=default_name(),
        metavar="FILE",
        help="write one archive for whoever helps you: findings, versions, configuration without secrets, manifests, health, log; no sound",
    )
    parser.add_argument("--yes", action="store_true", help="write it without asking")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the findings (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Examine the node; a line is printed as soon as it is known."""
    if arguments.support is not None:
        check_new(arguments.support)
        if not arguments.yes and not sys.stdin.isatty():
            raise UserError("--support", "asks before it writes, but standard input is not a terminal; add --yes")
    logging.getLogger("auscult").addHandler(logging.NullHandler())  # the findings say it, in one line each
    take_state_folder()
    findings: list[Finding] = []
    for finding in examine(arguments.config):
        findings.append(finding)
        if arguments.format == "text":
            print(printable(finding.line(width=CHECK_WIDTH)), flush=True)
    is_well = all(finding.verdict != "FAIL" for finding in findings)
    if arguments.format == "json":
        print(json.dumps({"ok": is_well, "checks": [asdict(finding) for finding in findings]}, indent=2))
    if arguments.support is not None:
        _support(arguments, findings)
    return 0 if is_well else 1


def _support(arguments: argparse.Namespace, findings: Sequence[Finding]) -> None:
    """Show what the archive would hold, ask, and write it."""
    parts = support_parts(arguments.config, findings)
    for part in parts:
        _tell(f"{part.bytes:>9}  {part.name}")
    _tell("No sound, user, password or key is in it. missing.txt lists what could not be collected.")
    if not arguments.yes:
        print(f"Write {arguments.support}? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            _tell("Nothing was written.")
            return
    write_archive(arguments.support, parts)
    _tell(f"Written to {arguments.support}. Look through it before you send it: unzip -p {arguments.support} | less")


def _tell(line: str) -> None:
    print(printable(line), file=sys.stderr)  # the findings alone go to standard output
