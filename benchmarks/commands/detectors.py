"""`auscult benchmark detectors`: what each detector costs to fit, to keep and to run."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.commands.arguments import add_seed_argument
from benchmarks.detectors import DetectorCost, measure_detector, record
from calibrate.fitters import FITTERS
from edge.console.numbers import whole_number
from edge.console.output import print_document
from edge.console.progress import progress
from edge.errors import UserError

FORMATS = ("text", "markdown", "json")
COLUMNS = {
    "fit_s": "fitting, s",
    "fit_peak_mb": "its memory, MB",
    "bundle_mb": "bundle, MB",
    "ms_per_s": "pipeline, ms of one core per s",
    "run_peak_mb": "memory of `run`, MB",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Fit each detector on minutes of a synthesised machine, in a process of its own, and run it over one more: time, memory, size of"
        " the bundle. Options after -- go to `auscult calibrate`, such as a shorter training."
    )
    parser.epilog = "example: auscult benchmark detectors --minutes 30 --detector patchcore,padim --format markdown"
    parser.add_argument("--detector", default=",".join(FITTERS), metavar="NAME[,NAME...]", help="which to measure (default: all)")
    parser.add_argument(
        "--minutes", type=whole_number(1), default=10, metavar="MIN", help="minutes of recordings to fit on (default: %(default)s)"
    )
    add_seed_argument(parser, "seed of the machine")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="options for `auscult calibrate`")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    names = list(dict.fromkeys(arguments.detector.split(",")))
    for name in names:
        if name not in FITTERS:
            raise UserError(f"--detector {name}", f"no such detector; there are {', '.join(FITTERS)}")
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        recordings, heard = record(Path(folder), arguments.minutes, arguments.seed)
        costs = {
            name: measure_detector(name, recordings, heard, arguments.options) for name in progress(names, label="measuring detectors")
        }
    measured = {name: asdict(cost) for name, cost in costs.items()}
    document = {"minutes": arguments.minutes, "options": arguments.options, "detectors": measured}
    print_document(document, arguments.format, lambda: _table(costs))
    return 0


def _table(costs: dict[str, DetectorCost]) -> list[str]:
    lines = [f"| detector | {' | '.join(COLUMNS.values())} |", f"| --- |{' --- |' * len(COLUMNS)}"]
    return lines + [f"| {name} | {' | '.join(_rounded(getattr(cost, column)) for column in COLUMNS)} |" for name, cost in costs.items()]


def _rounded(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
