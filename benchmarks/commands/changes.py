"""`auscult benchmark changes`: the smallest steady change that is detected, per machine of a manifest or of a synthesised fan."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.changes import MOST, ChangeResult, UnitResult, changes_of, files_of, measure_unit
from benchmarks.commands.arguments import add_manifest_argument, add_repeats_argument, add_seed_argument, add_units_argument
from benchmarks.commands.system import add_system_arguments, system_document, system_settings
from benchmarks.commands.units import measure_each, units_of
from benchmarks.datasets.manifest import Unit, chosen_units
from benchmarks.robustness import lacks, learn
from benchmarks.steady_changes import KINDS, SteadyChange
from benchmarks.steady_fan import TEST_CLIPS, steady_fan
from calibrate.left_out import documents, left_out_lines
from calibrate.metrics.sample import require_scikit_learn
from edge.console.numbers import whole_number
from edge.console.output import aligned, print_document
from edge.console.progress import Progress
from edge.errors import UserError

COLUMNS = ("kind", "what", "size", "ROC AUC", "95 % interval", "score", "alarms", "detected", "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Learn each machine's normal recordings, then score other normal ones as they are and after steady changes of known size: louder "
        "or softer, as a whole or in one octave; a tone, a second shaft or a bearing's impulses added; an octave that swells and fades. "
        "A recording counts as detected if it scores above all but one in 100 of the normal recordings."
    )
    parser.epilog = (
        "examples:\n"
        "  auscult benchmark changes --synthesised --kinds band tone\n"
        "  auscult benchmark changes --manifest recordings/manifest.csv --units fan_id_02 --repeats 5 --format json"
    )
    add_manifest_argument(parser, required=False)
    parser.add_argument(
        "--synthesised",
        action="store_true",
        help=f"in place of a manifest: a synthesised steady fan, 10 clips to learn from and {TEST_CLIPS} to test; takes some minutes",
    )
    add_units_argument(parser, "only these of the manifest")
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)"
    )
    add_repeats_argument(parser, ", and pool them")
    parser.add_argument(
        "--most",
        type=whole_number(1),
        default=MOST,
        metavar="N",
        help="change no more recordings of a machine than these; all of its normal ones are scored as they are (default: %(default)s)",
    )
    add_system_arguments(parser)
    add_seed_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every unit and print the figures."""
    require_scikit_learn()
    if arguments.synthesised == (arguments.manifest is not None):
        raise UserError("--manifest", "give either the manifest of your recordings or --synthesised")
    learned = partial(learn, settings=system_settings(arguments))
    with _units(arguments) as chosen:
        plans, skipped = _plans(chosen, arguments)
        changes = {unit.key: asked for unit, asked in plans}
        files = sum(
            files_of(unit, len(asked), repeats=arguments.repeats, most=arguments.most, seed=arguments.seed) for unit, asked in plans
        )
        with Progress("measuring steady changes", files) as bar:
            measured = partial(
                measure_unit, repeats=arguments.repeats, most=arguments.most, seed=arguments.seed, learn=learned, report=bar.update
            )
            results = measure_each([unit for unit, _ in plans], lambda unit: measured(unit, changes[unit.key]), skipped)
    document = _document(arguments, results, skipped)
    print_document(document, arguments.format, lambda: _text(document))
    return 0


@contextmanager
def _units(arguments: argparse.Namespace) -> Iterator[tuple[Unit, ...]]:
    """The chosen units; a synthesised one has its clips in a folder that goes away."""
    if arguments.manifest is not None:
        yield units_of(arguments)
        return
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        yield chosen_units((steady_fan(Path(folder), arguments.seed),), arguments.units, "what is synthesised")


def _plans(chosen: Sequence[Unit], arguments: argparse.Namespace) -> tuple[list[tuple[Unit, tuple[SteadyChange, ...]]], dict[str, str]]:
    """The units that can be measured, each with its changes, and why others cannot."""
    plans: list[tuple[Unit, tuple[SteadyChange, ...]]] = []
    skipped: dict[str, str] = {}
    for unit in chosen:
        reason = lacks(unit)
        if reason is not None:
            skipped[unit.key] = reason
            continue
        try:
            plans.append((unit, changes_of(unit, arguments.kinds, arguments.seed)))
        except UserError as error:
            skipped[unit.key] = str(error)
    return plans, skipped


def _document(arguments: argparse.Namespace, results: Mapping[str, UnitResult], skipped: Mapping[str, str]) -> dict[str, Any]:
    return {
        "manifest": arguments.manifest.name if arguments.manifest is not None else None,
        "synthesised": arguments.synthesised,
        "repeats": arguments.repeats,
        "most": arguments.most,
        "seed": arguments.seed,
        "system": system_document(arguments),
        "units": {key: _unit(result) for key, result in results.items()},
        "skipped": dict(skipped),
    }


def _unit(result: UnitResult) -> dict[str, Any]:
    return {
        "changes": [_change(one) for one in result.changes],
        "smallest": dict(result.smallest),
        "threshold": result.threshold,
        "mean_score": result.mean_score,
        "false_alarms": result.false_alarms.fraction,
        "fit_files": result.fit_files,
        "normal_files": result.false_alarms.of,
        "draws": result.draws,
        "left_out": documents(result.left_out),
        "recordings": result.recordings,
    }


def _change(result: ChangeResult) -> dict[str, Any]:
    change = result.change
    return {
        "kind": change.kind,
        "what": change.what,
        "size": change.size,
        "unit_of_size": change.unit_of_size,
        "roc_auc": result.roc_auc,
        "low": result.roc_auc_interval.low,
        "high": result.roc_auc_interval.high,
        "mean_score": result.mean_score,
        "alarms": result.alarms.fraction,
        "heard": result.heard.fraction,
        "files": result.heard.of,
        "turned_down": result.turned_down,
    }


def _text(document: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, unit in document["units"].items():
        rows: list[Sequence[str]] = [COLUMNS]
        rows += [(one["kind"], one["what"], _size(one["size"], one["unit_of_size"]), *_figures(one)) for one in unit["changes"]]
        measures = {one["kind"]: one["unit_of_size"] for one in unit["changes"]}
        draws = f", {unit['draws']} draws" if unit["draws"] > 1 else ""
        lines += [
            f"{key}: {unit['fit_files']} files learned, {unit['normal_files']} normal ones scored{draws}; unchanged they score "
            f"{unit['mean_score']:.2f}, {unit['false_alarms']:.2f} of them alarm; detected is what scores above {unit['threshold']:.2f}",
            "",
            *aligned(rows),
            "",
            *(f"smallest {way}, detected in half: {_size(size, measures[way.split()[0]])}" for way, size in unit["smallest"].items()),
            "",
        ]
    lines += [line for unit in document["units"].values() for line in left_out_lines(unit["left_out"], unit["recordings"])]
    return lines + [f"skipped {key}: {reason}" for key, reason in document["skipped"].items()]


def _figures(one: Mapping[str, Any]) -> tuple[str, ...]:
    turned_down = f"{one['turned_down']} turned down" if one["turned_down"] else ""
    span = f"{one['low']:.3f} - {one['high']:.3f}"
    return f"{one['roc_auc']:.3f}", span, f"{one['mean_score']:.2f}", f"{one['alarms']:.2f}", f"{one['heard']:.2f}", turned_down


def _size(size: float | None, unit_of_size: str) -> str:
    if size is None:
        return "none"
    if unit_of_size != "dB":
        return f"{unit_of_size} {size:g}"
    return f"{size:+g} dB" if size else "0 dB"
