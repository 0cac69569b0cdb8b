"""`auscult evaluate`: how well a bundle separates normal recordings from anomalous ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibrate.evaluation import Evaluation, evaluate
from calibrate.left_out import documents, left_out_lines
from calibrate.metrics.sample import require_scikit_learn
from calibrate.report.evaluation_report import write_evaluation_report
from calibrate.report.file import check_report
from edge.audio.audio_file import find_audio_files
from edge.audio.channels import parse_channel
from edge.console.numbers import whole_number
from edge.console.output import print_document
from edge.errors import UserError
from edge.model import Model

EXAMPLE = """example:
  auscult evaluate --bundle pump1.auscult --normal held-back/normal --anomalous held-back/anomalous --report pump1.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Score normal and anomalous recordings that the bundle was not calibrated on, and report how well it separates them."
    )
    parser.epilog = EXAMPLE
    parser.add_argument("--bundle", type=Path, required=True, help="what `auscult calibrate` wrote")
    parser.add_argument("--normal", type=Path, nargs="+", required=True, metavar="PATH", help="folders or files of the healthy machine")
    parser.add_argument("--anomalous", type=Path, nargs="+", required=True, metavar="PATH", help="folders or files of the faulty machine")
    parser.add_argument("--channel", type=parse_channel, default=0, help='channel, counted from 0, or "mix" (default: %(default)s)')
    parser.add_argument("--seed", type=whole_number(0), default=0, help="seed of the bootstrap interval (default: %(default)s)")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="report.html",
        help="also write curves, scores and anomaly maps as one page to read and print (extra [report])",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the figures (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Score every recording and print the figures."""
    require_scikit_learn()
    if arguments.report is not None:
        check_report(arguments.report)
    normal, anomalous = find_audio_files(arguments.normal), find_audio_files(arguments.anomalous)
    both = {path.resolve() for path in normal} & {path.resolve() for path in anomalous}
    if both:
        raise UserError(min(both), "is among the normal and among the anomalous recordings; it can be only one of them")
    model = Model.load(arguments.bundle)
    _warn_of_known_recordings(model, normal)
    evaluation = evaluate(model, normal, anomalous, channel=arguments.channel, seed=arguments.seed)
    print_document(_document(evaluation), arguments.format, lambda: _text(evaluation))
    if arguments.report is not None:
        write_evaluation_report(arguments.report, evaluation, model, arguments.channel)
    return 0


def _warn_of_known_recordings(model: Model, normal: Sequence[Path]) -> None:
    """A detector scores what it was calibrated on too well. Only the names are known, so this is a warning."""
    sources = set(model.bundle.manifest.data.sources)
    known = [path for path in normal if path.name in sources]
    if known:
        share = f"{len(known)} of {len(normal)} normal recordings"
        names = f"have the names of recordings that the bundle was calibrated on (such as {known[0]})"
        text = f"{share} {names}; if they are the same, the figures are too good"
        print(f"auscult: warning: {text}", file=sys.stderr)


def _document(evaluation: Evaluation) -> dict[str, Any]:
    metrics = evaluation.metrics
    return {
        "sample": {
            "roc_auc": metrics.roc_auc,
            "roc_auc_low": metrics.roc_auc_interval.low,
            "roc_auc_high": metrics.roc_auc_interval.high,
            "pauc": metrics.pauc,
            "f1": metrics.f1,
        },
        "threshold": {
            "detected_fraction": evaluation.detected_fraction,
            "false_alarm_fraction": evaluation.false_alarm_fraction,
        },
        "files": {"normal": metrics.normal, "anomalous": metrics.anomalous, "unscored": len(evaluation.left_out)},
        "left_out": documents(evaluation.left_out),
    }


def _text(evaluation: Evaluation) -> list[str]:
    metrics = evaluation.metrics
    return [
        f"{metrics.normal} normal and {metrics.anomalous} anomalous recordings, {len(evaluation.left_out)} could not be scored",
        *(f"{name:<24}{value}   {note}".rstrip() for name, value, note in evaluation.figures),
        *left_out_lines(documents(evaluation.left_out), evaluation.recordings),
    ]
