"""`auscult benchmark faithfulness`: whether the anomaly map shows what caused the score."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from benchmarks.commands.arguments import add_seed_argument
from benchmarks.commands.envmix_arguments import add_envmix_arguments, envmix_of
from benchmarks.commands.system import add_system_arguments, system_document, system_settings, systems
from benchmarks.datasets.envmix import EnvMix
from benchmarks.envmix_job import EnvMixJob
from benchmarks.faithfulness import ClassFaithfulness, FaithfulnessJob, measure_faithfulness
from benchmarks.jobs import add_job_arguments, measure_all
from benchmarks.tables.published import FAITHFULNESS, PUBLISHED_NAME
from calibrate.cluster import Failure
from calibrate.left_out import documents, left_out_lines
from calibrate.metrics.faithfulness import Faithfulness, FaithfulnessMetrics, faithfulness_metrics
from calibrate.metrics.sample import require_scikit_learn
from edge.console.output import print_document

FORMATS = ("text", "markdown", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = "Change each mixture of EnvMix according to its anomaly map and score it again: table 2 of From Vision to Sound."
    parser.epilog = (
        "example: auscult benchmark faithfulness --manifest recordings/manifest.csv --detector patchcore,padim --format markdown"
    )
    add_envmix_arguments(parser)
    parser.add_argument(
        "--domain", choices=("power", "decibel"), default="power", help="in which spectrograms are multiplied by the map (default: power)"
    )
    add_system_arguments(parser, several=True, mode="clip")
    add_job_arguments(parser)
    add_seed_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every class with every detector and print the figures."""
    require_scikit_learn()  # for the extra that benchmarks need
    mix = envmix_of(arguments)
    document: dict[str, Any] = {"mode": arguments.mode, "domain": arguments.domain, "snr_db": arguments.snr, "detectors": {}}
    measured = {}
    for name, chosen in systems(arguments).items():
        falls, left_out, skipped = _measured(chosen, mix)
        metrics = faithfulness_metrics(falls) if falls else None
        if metrics is not None:
            measured[PUBLISHED_NAME.get(name, name)] = metrics
        document["detectors"][name] = {
            "system": system_document(chosen),
            "v1": metrics and metrics.v1._asdict(),
            "v2": metrics and metrics.v2._asdict(),
            "recordings": metrics.recordings if metrics else 0,
            "left_out": left_out,
            "skipped": skipped,
        }
    print_document(document, arguments.format, lambda: [_table(arguments, measured), *_left_out(document["detectors"], mix)])
    return 0


def _measured(arguments: argparse.Namespace, mix: EnvMix) -> tuple[list[Faithfulness], dict[str, list[dict[str, str]]], dict[str, str]]:
    """How far scores fell, what was left out of each class, and why others have no result."""
    settings, system = system_settings(arguments), system_document(arguments)
    ratios = tuple(dict.fromkeys(arguments.snr))
    jobs = [FaithfulnessJob(EnvMixJob(mix, normal, ratios, 1, arguments.seed, settings), arguments.domain) for normal in mix.normal]
    keys = [job.key(system) for job in jobs]
    results = measure_all(measure_faithfulness, jobs, keys, ClassFaithfulness, arguments, f"measuring {arguments.detector}")
    named = list(zip((job.envmix.normal.name for job in jobs), results, strict=True))
    falls = [Faithfulness(*fall) for _, result in named if not isinstance(result, Failure) for fall in result.falls]
    left_out = {name: documents(result.left_out) for name, result in named if not isinstance(result, Failure)}
    return falls, left_out, {name: result.problem for name, result in named if isinstance(result, Failure)}


def _left_out(detectors: Mapping[str, Any], mix: EnvMix) -> list[str]:
    """What was left out and which classes were skipped; most of it applies to every detector, and is printed once."""
    recordings = {normal.name: mix.recordings(normal) for normal in mix.normal}
    lines = []
    for detector in detectors.values():
        lines += [line for name, left_out in detector["left_out"].items() for line in left_out_lines(left_out, recordings[name])]
        lines += [f"skipped {name}: {reason}" for name, reason in detector["skipped"].items()]
    return list(dict.fromkeys(lines))


def _table(arguments: argparse.Namespace, measured: Mapping[str, FaithfulnessMetrics]) -> str:
    """As the paper prints it: a column for each system, mean and deviation over recordings, ours / published."""
    systems = [*FAITHFULNESS, *(name for name in measured if name not in FAITHFULNESS)]
    title = f"Faithfulness on EnvMix (From Vision to Sound, table 2); ours / published; mode {arguments.mode}, {arguments.domain}"
    lines = [f"**{title}**", "", f"| | {' | '.join(systems)} |", f"| --- |{' --- |' * len(systems)}"]
    for figure, version in (("FF v1", "v1"), ("FF v2", "v2")):
        cells = []
        for system in systems:
            spread = getattr(measured[system], version) if system in measured else None
            published = FAITHFULNESS.get(system, {}).get(figure)
            cells.append(f"{_text(spread)} / {_text(published)}")
        lines.append(f"| {figure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _text(spread: tuple[float, float] | None) -> str:
    return "-" if spread is None else f"{spread[0]:.3f} ± {spread[1]:.3f}"
