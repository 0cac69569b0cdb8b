"""What `auscult benchmark mimii` and `dcase2020` have in common: a published dataset in, the paper's table out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.commands.arguments import add_seed_argument, add_units_argument
from benchmarks.commands.system import add_system_arguments, system_document, system_settings, systems
from benchmarks.datasets.manifest import Unit, chosen_units
from benchmarks.datasets.published import Published
from benchmarks.jobs import add_job_arguments, measure_all
from benchmarks.machines import UnitResult, document_of
from benchmarks.published_units import UnitJob, kind_figures, measure_job
from benchmarks.tables.published import PUBLISHED_NAME
from benchmarks.tables.table import Table, rows_of
from calibrate.cluster import Failure
from calibrate.left_out import left_out_lines
from calibrate.metrics.sample import require_scikit_learn
from edge.console.numbers import whole_number
from edge.console.output import print_document

UNIT_FIGURES = ("roc_auc", "low", "high", "pauc", "f1", "recordings", "left_out")


def add_table_arguments(parser: argparse.ArgumentParser, layout: str) -> None:
    """Say what such a benchmark takes; `layout` is one of the dataset's files."""
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help=f"the folder with the dataset as published: {layout}")
    add_units_argument(parser, names="a kind, kind/id, or a key of the results")
    parser.add_argument(
        "--seeds", type=whole_number(1), default=1, metavar="N", help="so many seeds of everything random (default: %(default)s)"
    )
    add_system_arguments(parser, several=True, mode="clip")
    add_job_arguments(parser)
    add_seed_argument(parser, "the first of them")


def run_table(
    arguments: argparse.Namespace,
    dataset: Published,
    title: str,
    published: Mapping[str, Mapping[str, float]],
    figures: Mapping[str, str],
) -> int:
    """Measure every machine with every detector and print the table.

    Parameters
    ----------
    published : system -> column -> figure.
    figures : see `kind_figures`.
    """
    require_scikit_learn()
    for note in dataset.notes:
        print(f"auscult: {note}", file=sys.stderr)
    chosen = chosen_units(dataset.units, arguments.units, str(arguments.root))
    measurable = [unit for unit in chosen if unit.lacks is None]
    skipped = {unit.key: unit.lacks for unit in chosen if unit.lacks is not None}
    detectors: dict[str, dict[str, Any]] = {}
    rows = {}
    for name, chosen_arguments in systems(arguments).items():
        results, failed = _measured(chosen_arguments, measurable)
        skipped |= {f"{name} {key}": why for key, why in failed.items()}
        if results:
            rows[PUBLISHED_NAME.get(name, name)] = kind_figures(results, figures)
        detectors[name] = {
            "system": system_document(chosen_arguments),
            "units": [_unit(unit, result) for unit, result in results],
        }
    columns = max((list(row) for row in published.values()), key=len)  # in the paper's order, of a row that has them all
    table = Table(f"{title}; ours (95 %) / published, in per cent; mode {arguments.mode}", columns, rows_of(published, rows))
    document = {
        "root": arguments.root.name,
        "seeds": arguments.seeds,
        "table": table.document(),
        "detectors": detectors,
        "skipped": skipped,
    }
    left_out = [line for one in detectors.values() for u in one["units"] for line in left_out_lines(u["left_out"], u["recordings"])]
    notes = (*dict.fromkeys(left_out), *(f"skipped {key}: {reason}" for key, reason in skipped.items()))
    print_document(document, arguments.format, lambda: [table.markdown(), *notes])
    return 0


def _unit(unit: Unit, result: UnitResult) -> dict[str, Any]:
    kept = {key: value for key, value in document_of(result).items() if key in UNIT_FIGURES}
    return {"unit": unit.key, **kept}


def _measured(arguments: argparse.Namespace, measurable: list[Unit]) -> tuple[list[tuple[Unit, UnitResult]], dict[str, str]]:
    """The results of every machine and seed, and why others have none."""
    settings, system = system_settings(arguments), system_document(arguments)
    jobs = [UnitJob(unit, settings, number) for unit in measurable for number in range(arguments.seed, arguments.seed + arguments.seeds)]
    keys: list[Mapping[str, Any]] = [job.key(system) for job in jobs]
    measured = measure_all(measure_job, jobs, keys, UnitResult, arguments, f"measuring {arguments.detector}")
    results = [(job.unit, result) for job, result in zip(jobs, measured, strict=True) if not isinstance(result, Failure)]
    return results, {job.unit.key: result.problem for job, result in zip(jobs, measured, strict=True) if isinstance(result, Failure)}
