"""`auscult evaluate`: how well a bundle tells normal recordings from anomalous ones."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibrate.metrics.sample import SampleMetrics, require_scikit_learn, sample_metrics
from edge.audio_file import find_audio_files
from edge.channels import Channel
from edge.errors import UserError
from edge.model import Model
from edge.progress import Progress
from edge.regions import ALARM
from edge.scoring import score_file

EXAMPLE = """example:
  auscult evaluate --bundle pump1.auscult --normal held-back/normal --anomalous held-back/anomalous --format json"""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the recordings of both classes scored, and the figures of it."""

    metrics: SampleMetrics
    detected_fraction: float  # of the anomalous recordings, at the bundle's own threshold
    false_alarm_fraction: float  # of the normal recordings
    unscored: tuple[Path, ...]  # too short to be scored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "Score normal and anomalous recordings that the bundle was not calibrated on, and say how well it tells them apart."
    parser.epilog = EXAMPLE
    parser.add_argument("--bundle", type=Path, required=True, help="what `auscult calibrate` wrote")
    parser.add_argument("--normal", type=Path, nargs="+", required=True, metavar="PATH", help="folders or files of the healthy machine")
    parser.add_argument("--anomalous", type=Path, nargs="+", required=True, metavar="PATH", help="folders or files of the faulty machine")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap interval (default: %(default)s)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the figures (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Score every recording and print the figures."""
    require_scikit_learn()
    normal, anomalous = find_audio_files(arguments.normal), find_audio_files(arguments.anomalous)
    both = {path.resolve() for path in normal} & {path.resolve() for path in anomalous}
    if both:
        raise UserError(min(both), "is among the normal and among the anomalous recordings; it can be only one of them")
    model = Model.load(arguments.bundle)
    evaluation = evaluate(model, normal, anomalous, seed=arguments.seed)
    if arguments.format == "json":
        print(json.dumps(_document(arguments.bundle, evaluation), indent=2))
    else:
        print("\n".join(_text(evaluation)))
    return 0
