"""`auscult benchmark tail`: what one alarm per week becomes, for noise of a known distribution and recordings of 5 minutes to 8 hours."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.commands.arguments import add_seed_argument
from benchmarks.noises import NOISES
from benchmarks.tail import LONG_WEEKS, MINUTES, PROMISES, Given, measure_tails
from edge.console.numbers import whole_number
from edge.console.output import aligned, print_document
from edge.console.progress import Progress

RARE = [promise for promise, per_week in PROMISES.items() if per_week is not None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Simulate the surprise of normal sound, fit its tail as `auscult calibrate` does, and compare the rate of alarms that the "
        "threshold gives with the one that was promised. Decades: 0 is as promised, 1 is ten times as many, -1 a tenth."
    )
    parser.epilog = "example: auscult benchmark tail --draws 200 --format json"
    parser.add_argument(
        "--draws", type=whole_number(1), default=60, metavar="N", help="recordings of each noise and length (default: %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=whole_number(1), nargs="+", default=list(MINUTES), metavar="MIN", help="their lengths (default: 5 15 60 480)"
    )
    parser.add_argument(
        "--weeks",
        type=whole_number(1),
        default=LONG_WEEKS,
        metavar="N",
        help="weeks of noise that measure the true rate (default: %(default)s)",
    )
    add_seed_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the figures."""
    minutes = sorted(set(arguments.minutes))
    with Progress("simulating", len(NOISES) * (arguments.weeks + arguments.draws * len(minutes))) as bar:
        given = measure_tails(arguments.draws, arguments.seed, minutes=minutes, weeks=arguments.weeks, report=bar.update)
    document = {
        "draws": arguments.draws,
        "weeks": arguments.weeks,
        "seed": arguments.seed,
        "noises": [_figures(one) for one in given],
        "criterion": {
            "too_many_where_supported": max(one.too_many for one in given if one.promise not in RARE),
            "decades_from_promise": float(np.mean([abs(one.typical) for one in given if one.promise in RARE])),
            "too_many": float(np.mean([one.too_many for one in given if one.promise in RARE])),
        },
    }
    print_document(document, arguments.format, lambda: _text(document))
    return 0


def _figures(given: Given) -> dict[str, Any]:
    low, median, high = (given.quantile(level) for level in (0.1, 0.5, 0.9))
    figures = {"p10": low, "median": median, "p90": high, "geometric_mean": given.typical, "too_many": given.too_many}
    return {"noise": given.noise, "minutes": given.minutes, "promise": given.promise, **figures}


def _text(document: Mapping[str, Any]) -> list[str]:
    minutes = sorted({one["minutes"] for one in document["noises"]})
    cells = {(one["noise"], one["promise"], one["minutes"]): one for one in document["noises"]}
    rows: list[Sequence[str]] = [("noise", "promise", *(f"{length} min" for length in minutes))]
    for noise in dict.fromkeys(one["noise"] for one in document["noises"]):
        rows += [(noise, promise, *(_span(cells[noise, promise, length]) for length in minutes)) for promise in PROMISES]
    criterion = document["criterion"]
    return [
        "decades from promised to given: 10 %, median, 90 % of the draws",
        "",
        *aligned(rows),
        "",
        f"more than three times the promise where it is supported: at most {criterion['too_many_where_supported']:.2f} of the draws",
        f"geometric mean of given over promised, {' and '.join(RARE)}: {criterion['decades_from_promise']:.2f} decades from 0 on average",
        f"more than three times the promise there: {criterion['too_many']:.2f} of the draws",
    ]


def _span(figures: Mapping[str, Any]) -> str:
    return f"{figures['p10']:+.1f} {figures['median']:+.1f} {figures['p90']:+.1f}"
