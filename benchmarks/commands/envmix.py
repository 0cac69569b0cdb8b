"""`auscult benchmark envmix`: sounds added to street sound: heard at all, and shown where and when."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.commands.arguments import add_manifest_argument, count, decibels, seed
from benchmarks.commands.system import add_system_arguments, system_document, system_settings
from benchmarks.datasets.envmix import envmix_of_manifest
from benchmarks.datasets.manifest import read_manifest
from benchmarks.envmix import LEVELS, ClassResult, clips_of, document_of, learn, means, measure_class
from calibrate.metrics.sample import require_scikit_learn
from edge.console.progress import Progress
from edge.errors import UserError

SNR_DB = (6.0, 0.0, -6.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Learn half of the recordings of each UrbanSound8K class of a manifest, test the other half with and without ESC-10 sounds added."
    )
    parser.epilog = "example: auscult benchmark envmix --manifest recordings/manifest.csv --snr 6 0 -6 --repeats 5 --format json"
    add_manifest_argument(parser)
    parser.add_argument(
        "--snr",
        type=decibels,
        nargs="+",
        default=list(SNR_DB),
        metavar="DB",
        help="ratios of the added sound to what it is added to, while it lasts (default: 6 0 -6)",
    )
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="only these classes of normal sound (default: all)")
    parser.add_argument("--repeats", type=count, default=1, metavar="N", help="draws of halves, sounds and places (default: %(default)s)")
    add_system_arguments(parser)
    parser.add_argument("--seed", type=seed, default=0, help="of every random choice (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Measure every class and print the figures."""
    require_scikit_learn()
    recordings = read_manifest(arguments.manifest, arguments.without)
    mix = envmix_of_manifest(recordings, arguments.classes)
    ratios = list(dict.fromkeys(arguments.snr))
    results: dict[str, ClassResult] = {}
    skipped: dict[str, str] = {}
    measured = partial(learn, settings=system_settings(arguments))
    clips = sum(clips_of(mix, normal, len(ratios), arguments.repeats) for normal in mix.normal)
    with Progress("measuring EnvMix", clips) as bar:
        for normal in mix.normal:
            try:
                results[normal.name] = measure_class(
                    mix, normal, ratios, repeats=arguments.repeats, seed=arguments.seed, learn=measured, report=bar.update
                )
            except UserError as error:  # too little sound, an unreadable file: the other classes are measured all the same
                skipped[normal.name] = str(error)
    document = _document(arguments, ratios, [sound.name for sound in mix.added], results, skipped)
    if arguments.format == "json":
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(_table(document)))
    return 0


def _document(
    arguments: argparse.Namespace,
    ratios: Sequence[float],
    sounds: Sequence[str],
    results: Mapping[str, ClassResult],
    skipped: Mapping[str, str],
) -> dict[str, Any]:
    return {
        "manifest": arguments.manifest.name,
        "repeats": arguments.repeats,
        "snr_db": list(ratios),
        "seed": arguments.seed,
        "system": system_document(arguments),
        "added": list(sounds),
        "mean": _means(list(results.values()), ratios),
        "snr": {f"{ratio:g}": _means(list(results.values()), [ratio]) for ratio in ratios},
        "classes": {name: _class(result, ratios) for name, result in results.items()},
        "skipped": dict(skipped),
    }


def _means(results: Sequence[ClassResult], ratios: Sequence[float]) -> dict[str, Any] | None:
    return {level: document_of(result) for level, result in means(results, ratios).items()} if results else None


def _class(result: ClassResult, ratios: Sequence[float]) -> dict[str, Any]:
    return {
        **{f"{ratio:g}": {level: document_of(result.levels[ratio][level]) for level in LEVELS} for ratio in ratios},
        "mean": _means([result], ratios),
        "fit_clips": result.fit_clips,
        "normal_clips": result.normal_clips,
        "anomalous_clips": result.anomalous_clips,
    }


def _table(document: Mapping[str, Any]) -> list[str]:
    rows: list[Sequence[str]] = [("class", "SNR dB", *(f"{level} ROC AUC" for level in LEVELS), "F1")]
    for name, figures in document["classes"].items():
        rows += [_row(name, f"{ratio:g}", figures[f"{ratio:g}"]) for ratio in document["snr_db"]]
        rows.append(_row(name, "mean", figures["mean"]))
    if document["mean"] is not None:
        rows += [_row("mean", ratio, figures) for ratio, figures in document["snr"].items()]
        rows.append(_row("mean", "mean", document["mean"]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return lines + [f"skipped {name}: {reason}" for name, reason in document["skipped"].items()]


def _row(name: str, ratio: str, figures: Mapping[str, Any]) -> Sequence[str]:
    areas = (f"{figures[level]['roc_auc']:.3f}  {figures[level]['low']:.3f} - {figures[level]['high']:.3f}" for level in LEVELS)
    return (name, ratio, *areas, " / ".join(f"{figures[level]['f1']:.2f}" for level in LEVELS))
