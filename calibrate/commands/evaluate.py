"""`auscult evaluate`: how well a bundle separates normal recordings from anomalous ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibrate.left_out import LeftOut, Sieve, documents, left_out_lines
from calibrate.metrics.sample import SampleMetrics, require_scikit_learn, sample_metrics
from edge.audio.audio_file import find_audio_files
from edge.audio.channels import Channel, parse_channel
from edge.console.numbers import whole_number
from edge.console.output import print_document
from edge.console.progress import Progress
from edge.errors import UserError
from edge.judgement.window import ALARM
from edge.model import Model
from edge.scoring import score_file

EXAMPLE = """example:
  auscult evaluate --bundle pump1.auscult --normal held-back/normal --anomalous held-back/anomalous --format json"""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the recordings of both classes scored, and the figures of it."""

    metrics: SampleMetrics
    detected_fraction: float  # of the anomalous recordings, at the bundle's own threshold
    false_alarm_fraction: float  # of the normal recordings
    left_out: tuple[LeftOut, ...]  # recordings that cannot be scored
    recordings: int  # scored and left out


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
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the figures (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Score every recording and print the figures."""
    require_scikit_learn()
    normal, anomalous = find_audio_files(arguments.normal), find_audio_files(arguments.anomalous)
    both = {path.resolve() for path in normal} & {path.resolve() for path in anomalous}
    if both:
        raise UserError(min(both), "is among the normal and among the anomalous recordings; it can be only one of them")
    model = Model.load(arguments.bundle)
    _warn_of_known_recordings(model, normal)
    evaluation = evaluate(model, normal, anomalous, channel=arguments.channel, seed=arguments.seed)
    print_document(_document(evaluation), arguments.format, lambda: _text(evaluation))
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


def evaluate(model: Model, normal: Sequence[Path], anomalous: Sequence[Path], *, channel: Channel = 0, seed: int = 0) -> Evaluation:
    """Score recordings of both classes with the daemon's own code; a recording's score is its highest window's.

    What cannot be scored is told on stderr and left out of the figures.

    Raises
    ------
    UserError
        When no recording of a class can be scored.
    """
    sieve = Sieve()
    with Progress("scoring", len(normal) + len(anomalous)) as bar:
        normal_scores, anomalous_scores = (list(_scores(model, paths, channel, sieve, bar)) for paths in (normal, anomalous))
    for one in sieve.left_out:
        print(f"auscult: {one.file}: {one.reason}; left out", file=sys.stderr)
    return Evaluation(
        metrics=sample_metrics(normal_scores, anomalous_scores, seed=seed),
        detected_fraction=_alarm_fraction(anomalous_scores),
        false_alarm_fraction=_alarm_fraction(normal_scores),
        left_out=sieve.left_out,
        recordings=len(normal) + len(anomalous),
    )


def _scores(model: Model, paths: Sequence[Path], channel: Channel, sieve: Sieve, bar: Progress) -> Iterator[float]:
    """Score what can be scored; what cannot stays in the sieve."""
    for path in paths:
        with sieve.passing(path):
            yield score_file(model, path, channel).score
        bar.update()


def _alarm_fraction(scores: Sequence[float]) -> float:
    return sum(score >= ALARM for score in scores) / len(scores)


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
    low, high = metrics.roc_auc_interval
    return [
        f"{metrics.normal} normal and {metrics.anomalous} anomalous recordings, {len(evaluation.left_out)} could not be scored",
        f"ROC AUC                 {metrics.roc_auc:.3f}   95 % interval {low:.3f} - {high:.3f}",
        f"pAUC (up to 0.1)        {metrics.pauc:.3f}",
        f"best F1                 {metrics.f1:.3f}",
        f"detected fraction       {evaluation.detected_fraction:.3f}   of the anomalous recordings, at the bundle's threshold",
        f"false alarm fraction    {evaluation.false_alarm_fraction:.3f}   of the normal recordings, at the bundle's threshold",
        *left_out_lines(documents(evaluation.left_out), evaluation.recordings),
    ]
