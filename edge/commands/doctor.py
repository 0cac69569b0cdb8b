"""`auscult doctor`: look at everything that the daemon needs on this node, and say what to do about what is wrong."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict
from pathlib import Path

from edge.console.output import printable
from edge.doctor.examination import examine
from edge.doctor.finding import Finding
from edge.doctor.sandbox import take_state_folder

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
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the findings (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Examine the node; a line is printed as soon as it is known."""
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
    return 0 if is_well else 1
