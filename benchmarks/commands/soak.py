"""`auscult benchmark soak`: whether the daemon grows over days of sound."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.commands.arguments import add_seed_argument
from benchmarks.commands.system import add_system_arguments, system_document, system_settings
from benchmarks.soak import Soak, soak
from calibrate.demo.broker import DemoBroker
from edge.console.numbers import number_above
from edge.console.output import print_document
from edge.console.progress import Progress
from edge.errors import UserError

MQTT_PORT = 1883


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Calibrate on a synthesised machine, let `auscult run` process hours of it with faults as fast as it can, and measure the process "
        "after every ten minutes of sound: resident memory, open files, threads."
    )
    parser.epilog = "example: auscult benchmark soak --hours 24 --broker localhost:1883 --format json"
    parser.add_argument(
        "--hours", type=number_above(0), default=24.0, metavar="H", help="hours of sound (default: 24; takes about half an hour)"
    )
    parser.add_argument(
        "--after", type=number_above(0), default=2.0, metavar="H", help="growth is measured after so many hours of sound (default: 2)"
    )
    parser.add_argument(
        "--broker", type=_endpoint, metavar="HOST[:PORT]", help="without login and TLS (default: one within this process, which is slow)"
    )
    add_system_arguments(parser)
    add_seed_argument(parser, "seed of the machine and its faults")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if not sys.platform.startswith("linux"):
        raise UserError("auscult benchmark soak", "reads memory and open files as Linux reports them; run it on Linux")
    if arguments.hours < arguments.after + 1.0:
        raise UserError("--hours", f"must be an hour more than --after, or there is nothing to measure; try {arguments.after + 1.0:g}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="auscult-")))
        broker, protocol = arguments.broker, "5"
        if broker is None:
            embedded = stack.enter_context(DemoBroker())
            broker, protocol = (embedded.host, embedded.port), "3.1.1"
        bar = stack.enter_context(Progress("listening", 3600.0 * arguments.hours))
        result = soak(folder, system_settings(arguments), arguments.hours, broker, protocol, arguments.seed, bar.update)
    document = _document(result, arguments)
    print_document(document, arguments.format, lambda: _text(document))
    return 0


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise argparse.ArgumentTypeError(f"must be HOST or HOST:PORT, not {text!r}")
    return host, int(port or MQTT_PORT)


def _document(result: Soak, arguments: argparse.Namespace) -> dict[str, Any]:
    late = [weight for weight in result.weights if weight.heard_h > arguments.after]
    slope, interval = result.slope_mb_per_day(arguments.after)
    return {
        "system": system_document(arguments),
        "hours": result.heard_h,
        "wall_s": result.wall_s,
        "times_real_time": 3600.0 * result.heard_h / result.wall_s,
        "after_h": arguments.after,
        "rss_mb": {"first": late[0].rss_mb, "last": late[-1].rss_mb, "largest": max(weight.rss_mb for weight in result.weights)},
        "rss_slope_mb_per_day": {"mean": slope, "low": interval.low, "high": interval.high},
        "files": sorted({weight.files for weight in late}),
        "threads": sorted({weight.threads for weight in late}),
        "events": {"opened": result.opened, "closed": result.closed, "missing_seq": result.missing},
        "weights": [asdict(weight) for weight in result.weights],
    }


def _text(document: dict[str, Any]) -> list[str]:
    rss, slope, events = document["rss_mb"], document["rss_slope_mb_per_day"], document["events"]
    hours, minutes, speed = document["hours"], document["wall_s"] / 60.0, document["times_real_time"]
    after_h = document["after_h"]
    return [
        f"scored        {hours:.1f} h of sound in {minutes:.0f} min, {speed:.0f} x real time",
        f"memory        {rss['first']:.1f} MB after {after_h:g} h, {rss['last']:.1f} MB at the end, at most {rss['largest']:.1f} MB",
        f"growth        {slope['mean']:+.2f} MB per day of sound ({slope['low']:+.2f} to {slope['high']:+.2f})",
        f"open files    {' or '.join(map(str, document['files']))}",
        f"threads       {' or '.join(map(str, document['threads']))}",
        f"events        {events['opened']} opened, {events['closed']} closed, {events['missing_seq']} messages missing",
    ]
