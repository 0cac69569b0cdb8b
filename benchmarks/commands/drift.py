"""`auscult benchmark drift`: how soon slow wear is told, and how often where there is none."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.learning_drift import Told, measure
from benchmarks.machine_weeks import Wear
from edge.console.numbers import whole_number
from edge.console.output import print_document
from edge.console.progress import Progress

LEVEL = 0.9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Simulate weeks of machines with shifts, loads, stops at weekends, weather and doors, half of them with a band that gets louder by "
        "0.2 dB a day. The levels of windows are drawn, and go through the code of the daemon."
    )
    parser.epilog = "example: auscult benchmark drift --machines 20 --days 14 --format json"
    parser.add_argument("--machines", type=whole_number(1), default=20, metavar="N", help="of either kind (default: %(default)s)")
    parser.add_argument("--days", type=whole_number(7), default=14, metavar="N", help="that each is heard for (default: %(default)s)")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help="the first machine (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the figures."""
    seeds = range(arguments.seed, arguments.seed + arguments.machines)
    with Progress("simulating", 2 * len(seeds)) as bar:
        worn = measure(seeds, arguments.days, Wear(), bar.update)
        sound = measure([seed + arguments.machines for seed in seeds], arguments.days, None, bar.update)
    document = _document(worn, sound, arguments.days)
    print_document(document, arguments.format, lambda: _text(document))
    return 0


def _document(worn: Sequence[Told], sound: Sequence[Told], days: int) -> dict[str, Any]:
    to_tell = np.array([one.days_to_tell if one.days_to_tell is not None else np.inf for one in worn])
    drawn = np.random.default_rng(0).choice(to_tell, (2000, len(to_tell)))
    p90s = np.quantile(drawn, LEVEL, axis=1, method="higher")
    false = sum(bool(one.false) for one in sound)
    return {
        "machines": len(worn),
        "days": days,
        "days_to_tell": [one.days_to_tell for one in worn],
        "median_days": _finite(np.quantile(to_tell, 0.5, method="higher")),
        "p90_days": _finite(np.quantile(to_tell, LEVEL, method="higher")),
        "p90_days_interval": [_finite(np.quantile(p90s, level, method="higher")) for level in (0.025, 0.975)],
        "not_told": int(np.isinf(to_tell).sum()),
        "false": false,
        "false_fraction_interval": _wilson(false, len(sound)),
        "other_bands_of_worn": sum(bool(one.false) for one in worn),
        "ms_per_hour": float(np.mean([one.ms_per_hour for one in (*worn, *sound)])),
    }


def _text(document: dict[str, Any]) -> list[str]:
    low, high = document["p90_days_interval"]
    least, most = document["false_fraction_interval"]
    return [
        f"wear of 0.2 dB a day is told after {document['median_days']} days (median), {document['p90_days']} days (p90, {low} - {high});"
        f" not told within {document['days']} days: {document['not_told']} of {document['machines']}",
        f"drift told without wear in {document['days']} days: {document['false']} of {document['machines']} machines"
        f" ({100 * least:.0f} - {100 * most:.0f} %)",
        f"other bands told where one wears: {document['other_bands_of_worn']} of {document['machines']} machines",
        f"{document['ms_per_hour']:.0f} ms for an hour of sound",
    ]


def _finite(value: float) -> float | None:
    return round(float(value), 2) if np.isfinite(value) else None


def _wilson(count: int, of: int) -> list[float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    z = 1.96
    centre = (count + z * z / 2.0) / (of + z * z)
    half = z / (of + z * z) * np.sqrt(count * (of - count) / of + z * z / 4.0)
    return [round(max(0.0, float(centre - half)), 4), round(min(1.0, float(centre + half)), 4)]
