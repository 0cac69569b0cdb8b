"""How well a bundle separates normal recordings from anomalous ones: their scores, and the figures of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibrate.left_out import LeftOut, Sieve
from calibrate.metrics.sample import SampleMetrics, sample_metrics
from edge.audio.channels import Channel
from edge.console.progress import Progress
from edge.judgement.window import ALARM
from edge.model import Model
from edge.scoring import score_file


@dataclass(frozen=True, slots=True)
class Scored:
    """A recording and the score of its highest window."""

    file: Path
    score: float  # 1.0 is the alarm threshold
    seconds: float
    at_s: float  # where that window begins

    @property
    def alarms(self) -> bool:
        """Whether the daemon would alarm."""
        return self.score >= ALARM


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the recordings of both classes scored, and the figures of it."""

    metrics: SampleMetrics
    detected_fraction: float  # of the anomalous recordings, at the bundle's own threshold
    false_alarm_fraction: float  # of the normal recordings
    left_out: tuple[LeftOut, ...]  # recordings that cannot be scored
    recordings: int  # scored and left out
    normal: tuple[Scored, ...]
    anomalous: tuple[Scored, ...]

    @property
    def figures(self) -> list[tuple[str, str, str]]:
        """As people read them: name, value, and what it is of."""
        metrics = self.metrics
        low, high = metrics.roc_auc_interval
        return [
            ("ROC AUC", f"{metrics.roc_auc:.3f}", f"95 % interval {low:.3f} - {high:.3f}"),
            ("pAUC (up to 0.1)", f"{metrics.pauc:.3f}", ""),
            ("best F1", f"{metrics.f1:.3f}", ""),
            ("detected fraction", f"{self.detected_fraction:.3f}", "of the anomalous recordings, at the bundle's threshold"),
            ("false alarm fraction", f"{self.false_alarm_fraction:.3f}", "of the normal recordings, at the bundle's threshold"),
        ]


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
        scored = [tuple(_scored(model, paths, channel, sieve, bar)) for paths in (normal, anomalous)]
    for one in sieve.left_out:
        print(f"auscult: {one.file}: {one.reason}; left out", file=sys.stderr)
    normal_scores, anomalous_scores = ([one.score for one in kind] for kind in scored)
    return Evaluation(
        metrics=sample_metrics(normal_scores, anomalous_scores, seed=seed),
        detected_fraction=_alarm_fraction(scored[1]),
        false_alarm_fraction=_alarm_fraction(scored[0]),
        left_out=sieve.left_out,
        recordings=len(normal) + len(anomalous),
        normal=scored[0],
        anomalous=scored[1],
    )


def _scored(model: Model, paths: Sequence[Path], channel: Channel, sieve: Sieve, bar: Progress) -> Iterator[Scored]:
    """Score what can be scored; what cannot stays in the sieve."""
    for path in paths:
        with sieve.passing(path):
            said = score_file(model, path, channel)
            highest = next(window for window in said.windows if window.score == said.score)
            yield Scored(path, said.score, said.seconds, highest.t_start_s)
        bar.update()


def _alarm_fraction(scored: Sequence[Scored]) -> float:
    return sum(one.alarms for one in scored) / len(scored)
