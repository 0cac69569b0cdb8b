"""`auscult benchmark dashboard`: what the page costs its server and its browser."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.dashboard import document, measure_dashboard
from edge.console.numbers import number, whole_number
from edge.console.output import print_document
from edge.console.progress import Progress
from edge.errors import UserError

SHORTEST_MINUTES = 1.0  # the broker goes and comes back in between


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Publish the messages of a fleet to a Mosquitto, serve the dashboard, show its pages in Chromium where there is one, stop and start"
        " the broker in the middle; print processor time, memory and what was lost."
    )
    parser.epilog = "example: auscult benchmark dashboard --minutes 10 --format json"
    parser.add_argument(
        "--minutes", type=number(SHORTEST_MINUTES, 10_000.0), default=10.0, metavar="M", help="how long (default: %(default)g)"
    )
    parser.add_argument("--sources", type=whole_number(1), default=20, metavar="N", help="machines, two scores a second each (default: 20)")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if not sys.platform.startswith("linux"):
        raise UserError("auscult benchmark dashboard", "counts memory and time as Linux tells them; run it there")
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder, Progress("watching", 60.0 * arguments.minutes) as bar:
        cost = measure_dashboard(Path(folder), arguments.minutes, arguments.sources, bar.update)
    found = document(cost)
    print_document(found, arguments.format, lambda: _text(found))
    return 0


def _text(found: dict[str, Any]) -> list[str]:
    rss = found["server_rss_mb"]
    lines = [
        f"{found['sources']} sources, {found['scores_per_s']:g} scores a second, {found['minutes']:g} minutes",
        f"server  {100 * found['server_cpu_fraction']:.1f} % of a core, {rss['first']} MB at first, {rss['last']} MB at last",
    ]
    for page in found["pages"]:
        heap = page["heap_mb"]
        lines.append(
            f"page {page['page']:<9} {100 * page['cpu_fraction']:.1f} % of a core, {page['memory_mb']['last']} MB; heap "
            f"{heap['least_of_first_half']} MB, then {heap['least_of_second_half']} MB; {page['elements']['first']} elements, "
            f"then {page['elements']['last']}"
        )
    if found["why_no_pages"]:
        lines.append(f"no page was measured: {found['why_no_pages']}")
    lines.append(f"scores  {found['scores_sent']} sent, {found['scores_kept']} kept")
    lines.append(f"events  {found['events_sent']} sent, {found['events_kept']} kept; history {found['history_mb']} MB")
    lines += [f"gap     {gap['seconds']} s: {gap['reason']}" for gap in found["gaps"]]
    return lines
