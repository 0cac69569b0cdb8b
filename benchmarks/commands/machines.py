"""`auscult benchmark machines`: ROC AUC per machine of a manifest, with intervals, and the mean."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.commands.arguments import add_manifest_argument, add_repeats_argument, add_seed_argument, add_units_argument
from benchmarks.commands.system import add_system_arguments, system_document, system_settings
from benchmarks.commands.units import measure_each
from benchmarks.datasets.manifest import Unit, background, chosen_units, read_manifest, units
from benchmarks.draws import splits
from benchmarks.machines import UnitResult, document_of, fit_and_score, measure_unit
from benchmarks.mixing import BackgroundMixer, LevelMixer, Mixer
from benchmarks.singles import cut, single_units
from benchmarks.yardstick import FUSED
from calibrate.left_out import LeftOut, Sieve, documents, left_out_lines, nothing_left
from calibrate.metrics.sample import require_scikit_learn
from edge.console.numbers import number, number_above
from edge.console.output import aligned, print_document
from edge.console.progress import Progress
from edge.errors import UserError

LEAST_CLIP_S = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = "Fit each machine on its fit rows with one set of settings, score its test rows file by file."
    parser.epilog = "example: auscult benchmark machines --manifest recordings/manifest.csv --repeats 5 --noise-db 6 --baseline"
    add_manifest_argument(parser)
    add_units_argument(parser)
    add_repeats_argument(parser)
    mixing = parser.add_mutually_exclusive_group()
    mixing.add_argument(
        "--noise-db",
        type=number(),
        metavar="DB",
        help="mix background rows into all clips of a unit at one level, this far above its fit clips' mean power; drawn for each clip",
    )
    mixing.add_argument(
        "--snr", type=number(), metavar="DB", help="instead: at this ratio of machine to background in every clip, whatever its own level"
    )
    parser.add_argument(
        "--seconds",
        type=number_above(0),
        metavar="S",
        help="cut all recordings into clips of this length: learn from every clip of the fit rows, test one clip of each test row",
    )
    parser.add_argument(
        "--single",
        action="store_true",
        help="measure the machines with one normal and one anomalous recording instead: each microphone's first half against its second",
    )
    parser.add_argument(
        "--baseline",
        action="store_true",
        help="measure the yardstick too, on the same clips: simple statistics of whole recordings (benchmarks/yardstick.py)",
    )
    add_system_arguments(parser)
    add_seed_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every unit and print the figures."""
    require_scikit_learn()
    recordings = read_manifest(arguments.manifest, arguments.without)
    if arguments.single and arguments.repeats is not None:
        raise UserError("--repeats", "would learn from and test with the same moments of a single recording; leave it out with --single")
    if arguments.seconds is not None and arguments.seconds < LEAST_CLIP_S:
        raise UserError("--seconds", f"clips of {arguments.seconds:g} s are too short to score; give {LEAST_CLIP_S:g} or more")
    chosen = chosen_units(single_units(recordings) if arguments.single else units(recordings), arguments.units)
    backgrounds, noises = background(recordings), Sieve()
    mixer = _mixer(arguments, backgrounds, noises)
    fitted = partial(fit_and_score, settings=system_settings(arguments))
    skipped: dict[str, str] = {}
    uncut: dict[str, tuple[LeftOut, ...]] = {}  # of units of single recordings
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        if arguments.single:
            chosen, uncut = _cut(chosen, Path(folder), skipped)
        skipped |= {unit.key: unit.lacks for unit in chosen if unit.lacks is not None}
        measurable = [unit for unit in chosen if unit.lacks is None]
        files = sum(split.files for unit in measurable for split in splits(unit, arguments.repeats, arguments.seed))
        with Progress("measuring machines", files) as bar:

            def measured(unit: Unit) -> UnitResult:
                result = measure_unit(
                    unit,
                    repeats=arguments.repeats,
                    mixer=mixer,
                    seconds=arguments.seconds,
                    yardstick=arguments.baseline,
                    seed=arguments.seed,
                    fit_and_score=fitted,
                    report=bar.update,
                )
                before = uncut.get(unit.key, ())
                return replace(result, left_out=before + result.left_out, recordings=len(before) + result.recordings)

            results = measure_each(measurable, measured, skipped)
    document = _document(arguments, results, skipped)
    if mixer is not None:
        document["background"] = {"recordings": len(backgrounds), "left_out": documents(noises.left_out)}
    print_document(document, arguments.format, lambda: _table(document))
    return 0


def _mixer(arguments: argparse.Namespace, backgrounds: Sequence[Path], sieve: Sieve) -> Mixer | None:
    """What mixes in the background that was asked for; None for none. What cannot be mixed in stays in the sieve."""
    asked = [option for option, given in (("--noise-db", arguments.noise_db), ("--snr", arguments.snr)) if given is not None]
    if not asked:
        return None
    if not backgrounds:
        raise UserError(arguments.manifest, f"has no background rows to mix in; leave out {asked[0]}")
    if arguments.noise_db is None:
        return BackgroundMixer(backgrounds, arguments.snr, sieve)
    return LevelMixer(backgrounds, arguments.noise_db, sieve)


def _cut(chosen: Sequence[Unit], folder: Path, skipped: dict[str, str]) -> tuple[tuple[Unit, ...], dict[str, tuple[LeftOut, ...]]]:
    """Cut the recordings of single units; return what was left out of each, and note those of which too little is left."""
    halved = []
    left_out = {}
    for index, unit in enumerate(chosen):
        place, sieve = folder / str(index), Sieve()
        place.mkdir()
        halves = cut(unit, place, sieve)
        if sieve.left_out and halves.lacks is not None:
            skipped[unit.key] = str(nothing_left(halves.lacks, sieve.left_out, halves.files + len(sieve.left_out)))
        else:
            halved.append(halves)
            left_out[unit.key] = sieve.left_out
    return tuple(halved), left_out


def _document(arguments: argparse.Namespace, results: Mapping[str, UnitResult], skipped: Mapping[str, str]) -> dict[str, Any]:
    return {
        "manifest": arguments.manifest.name,
        "repeats": arguments.repeats,
        "snr_db": arguments.snr,
        "noise_db": arguments.noise_db,
        "single": arguments.single,
        "clip_s": arguments.seconds,
        "seed": arguments.seed,
        "system": system_document(arguments),
        "units": {key: document_of(result) for key, result in results.items()},
        "mean": _mean([result.roc_auc for result in results.values()]),
        **({"yardstick_mean": _mean([r.yardstick[FUSED] for r in results.values() if r.yardstick])} if arguments.baseline else {}),
        "skipped": dict(skipped),
    }


def _mean(areas: Sequence[float]) -> float | None:
    return sum(areas) / len(areas) if areas else None


def _table(document: Mapping[str, Any]) -> list[str]:
    baseline = "yardstick_mean" in document
    rows: list[Sequence[str]] = [
        ("unit", "ROC AUC", "95 % interval", *(["yardstick"] if baseline else []), "pAUC", "F1", "fit", "normal", "anomalous")
    ]
    for key, unit in document["units"].items():
        beside = [_area(unit.get("yardstick", {}).get(FUSED))] if baseline else []
        figures = (_area(unit["roc_auc"]), f"{unit['low']:.3f} - {unit['high']:.3f}", *beside, f"{unit['pauc']:.3f}", f"{unit['f1']:.3f}")
        rows.append((key, *figures, *(str(unit[f"{kind}_files"]) for kind in ("fit", "normal", "anomalous"))))
    if document["mean"] is not None:
        means = ("mean", _area(document["mean"]), "", *([_area(document["yardstick_mean"])] if baseline else []))
        rows.append((*means, *[""] * (len(rows[0]) - len(means))))
    lines = aligned(rows)
    lines += [line for unit in document["units"].values() for line in left_out_lines(unit["left_out"], unit["recordings"])]
    if background := document.get("background"):
        lines += [f"background: {line}" for line in left_out_lines(background["left_out"], background["recordings"])]
    return lines + [f"skipped {key}: {reason}" for key, reason in document["skipped"].items()]


def _area(area: float | None) -> str:
    return "-" if area is None else f"{area:.3f}"
