"""`auscult benchmark robustness`: false alarms after ordinary changes, per machine of a manifest."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.commands.arguments import add_manifest_argument, add_seed_argument, add_units_argument
from benchmarks.commands.system import add_system_arguments, system_document, system_settings
from benchmarks.commands.units import measure_each, units_of
from benchmarks.ordinary_changes import CHANGES, GAINS
from benchmarks.robustness import UNCHANGED, ChangeResult, UnitResult, files_of, lacks, learn, measure_unit
from benchmarks.share import Share
from calibrate.left_out import documents, left_out_lines
from calibrate.metrics.sample import require_scikit_learn
from edge.console.output import aligned, print_document
from edge.console.progress import Progress

SHARES = ("false_alarms", "new_false_alarms", "detected")
AREAS = ("roc_auc", "roc_auc_without_level")
COLUMNS = (
    *("unit", "change", "false alarms", "95 %", "new", "mean", "95 %", "largest"),
    *("detected", "ROC AUC", "95 %", "without level", "as level", "turned down"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Fit each machine on its fit rows, then score its test rows as they are and after ordinary changes: microphone gain, another "
        "microphone, mains hum, a door, speech nearby, slow drift. Normal recordings should cause no alarm; a changed gain should be "
        "reported as level."
    )
    parser.epilog = "example: auscult benchmark robustness --manifest recordings/manifest.csv --units fan_id_02 --format json"
    add_manifest_argument(parser)
    add_units_argument(parser)
    add_system_arguments(parser)
    add_seed_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every unit and print the figures."""
    require_scikit_learn()
    chosen = units_of(arguments)
    skipped = {unit.key: reason for unit in chosen if (reason := lacks(unit)) is not None}
    measurable = [unit for unit in chosen if unit.key not in skipped]
    learned = partial(learn, settings=system_settings(arguments))
    with Progress("measuring robustness", sum(map(files_of, measurable))) as bar:
        measured = partial(measure_unit, seed=arguments.seed, learn=learned, report=bar.update)
        results = measure_each(measurable, measured, skipped)
    document = _document(arguments, results, skipped)
    print_document(document, arguments.format, lambda: _table(document))
    return 0


def _document(arguments: argparse.Namespace, results: Mapping[str, UnitResult], skipped: Mapping[str, str]) -> dict[str, Any]:
    measured = {
        key: {
            "changes": {name: _change(name, figures) for name, figures in result.changes.items()},
            "fit_files": result.fit_files,
            "normal_files": result.normal_files,
            "anomalous_files": result.anomalous_files,
            "recordings": result.recordings,
            "left_out": documents(result.left_out),
        }
        for key, result in results.items()
    }
    return {
        "manifest": arguments.manifest.name,
        "seed": arguments.seed,
        "system": system_document(arguments),
        "units": measured,
        "mean": {name: _mean([result.changes[name] for result in results.values()]) for name in (UNCHANGED, *CHANGES)} if results else None,
        "skipped": dict(skipped),
    }


def _change(name: str, result: ChangeResult) -> dict[str, Any]:
    """The figures of one change; only a gain should be reported as level."""
    document: dict[str, Any] = {share: _share(getattr(result, share)) for share in SHARES}
    document["mean_score"] = _figure(result.mean_score, result.mean_score_interval)
    document["largest_score"] = result.largest_score
    document["roc_auc"] = _figure(result.roc_auc, result.roc_auc_interval)
    document["roc_auc_without_level"] = _figure(result.roc_auc_without_level, result.roc_auc_without_level_interval)
    document["strongest"] = dict(result.strongest)
    if name in GAINS:
        document["told_as_level"] = _share(result.told_as_level)
        document["told_as_level_only"] = _share(result.told_as_level_only)
    document["turned_down"] = result.turned_down
    document["turned_down_db"] = result.turned_down_db
    return document


def _share(share: Share) -> dict[str, Any]:
    return {"count": share.count, "of": share.of, "fraction": share.fraction, **_ends(share.interval)}


def _figure(value: float | None, interval: tuple[float, float] | None) -> dict[str, Any]:
    return {"value": value, **_ends(interval)}


def _ends(interval: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {"low": low, "high": high}


def _mean(results: Sequence[ChangeResult]) -> dict[str, float | None]:
    """The plain mean over machines of what each has: a machine without anomalous recordings has no ROC AUC."""
    figures = {share: [getattr(result, share).fraction for result in results] for share in SHARES}
    figures |= {area: [getattr(result, area) for result in results] for area in AREAS}
    known = {name: [value for value in values if value is not None] for name, values in figures.items()}
    return {name: sum(values) / len(values) if values else None for name, values in known.items()}


def _table(document: Mapping[str, Any]) -> list[str]:
    rows: list[Sequence[str]] = [COLUMNS]
    for key, unit in document["units"].items():
        rows += [(key, name, *_cells(figures)) for name, figures in unit["changes"].items()]
    for name, mean in (document["mean"] or {}).items():
        fractions = ["-" if mean[figure] is None else f"{mean[figure]:.2f}" for figure in (*SHARES, *AREAS)]
        rows.append(("mean", name, fractions[0], "", fractions[1], "", "", "", *fractions[2:4], "", fractions[4], "", ""))
    lines = aligned(rows)
    lines += [line for unit in document["units"].values() for line in left_out_lines(unit["left_out"], unit["recordings"])]
    return lines + [f"skipped {key}: {reason}" for key, reason in document["skipped"].items()]


def _cells(figures: Mapping[str, Any]) -> list[str]:
    mean, area = figures["mean_score"], figures["roc_auc"]
    turned_down = f"{figures['turned_down']} by up to {figures['turned_down_db']:.1f} dB" if figures["turned_down"] else ""
    return [
        _counted(figures["false_alarms"]),
        _span(figures["false_alarms"], 2),
        _counted(figures["new_false_alarms"]),
        f"{mean['value']:.2f}",
        _span(mean, 2),
        f"{figures['largest_score']:.2f}",
        _counted(figures["detected"]),
        _area(area),
        _span(area, 3),
        _area(figures["roc_auc_without_level"]),
        _counted(figures["told_as_level"]) if "told_as_level" in figures else "",
        turned_down,
    ]


def _area(figure: Mapping[str, Any]) -> str:
    return "-" if figure["value"] is None else f"{figure['value']:.3f}"


def _counted(share: Mapping[str, Any]) -> str:
    return f"{share['count']} of {share['of']}" if share["of"] else "-"


def _span(figure: Mapping[str, Any], digits: int) -> str:
    return "" if figure["low"] is None else f"{figure['low']:.{digits}f} - {figure['high']:.{digits}f}"
