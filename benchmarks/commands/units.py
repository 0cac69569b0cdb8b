"""The machines of a manifest, as several benchmarks choose and measure them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TypeVar

from benchmarks.datasets.manifest import Unit, chosen_units, read_manifest, units
from edge.errors import UserError

Result = TypeVar("Result")


def units_of(arguments: argparse.Namespace) -> tuple[Unit, ...]:
    """Return the units that `--manifest`, `--without` and `--units` select; UserError when there are none."""
    return chosen_units(units(read_manifest(arguments.manifest, arguments.without)), arguments.units)


def measure_each(machines: Iterable[Unit], measure: Callable[[Unit], Result], skipped: dict[str, str]) -> dict[str, Result]:
    """Return the result of each machine by its key; one that raises UserError (too little sound) goes into `skipped`, with the reason."""
    results: dict[str, Result] = {}
    for unit in machines:
        try:
            results[unit.key] = measure(unit)
        except UserError as error:
            skipped[unit.key] = str(error)
    return results
