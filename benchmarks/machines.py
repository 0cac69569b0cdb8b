"""How well faults are heard: fit each machine on its own normal recordings, score the held-out ones, one figure per machine.

Every machine gets the same defaults. A file's score is its highest window's (`edge/scoring.py`, the code that `auscult score` runs).
What cannot be used is left out: before anything is mixed in, so that the same recordings are tested in every background.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.audible import audible_unit
from benchmarks.datasets.manifest import Unit
from benchmarks.draws import Clips, prepare, splits
from benchmarks.learned import DEFAULTS, learn
from benchmarks.mixing import Mixer
from benchmarks.yardstick import yardstick_scores
from calibrate.left_out import LeftOut, Sieve, documents, nothing_left
from calibrate.metrics.bootstrap import percentile_interval, resampled_roc_auc
from calibrate.metrics.sample import best_f1, pauc, roc_auc
from calibrate.settings import CalibrationSettings
from edge.scoring import score_file

Float64 = NDArray[np.float64]
Report = Callable[[float], None]  # of files done


@dataclass(frozen=True, slots=True)
class UnitResult:
    """The figures of one machine: means over the draws, and the 95 % interval of its ROC AUC over draws and resampled test files."""

    roc_auc: float
    low: float
    high: float
    pauc: float
    f1: float
    files: int  # tested in one draw
    fit_files: int
    normal_files: int
    anomalous_files: int
    areas: Float64 = field(repr=False)  # (draws x resamples,) the ROC AUC of each
    recordings: int  # learned from, tested or left out in one draw; clips, where recordings are cut into them
    left_out: tuple[LeftOut, ...]
    yardstick: dict[str, float] | None  # ROC AUC of each of its scores; None when not asked for, or there is too little to learn from


def document_of(result: UnitResult) -> dict[str, Any]:
    """The figures without the resamples, and without a yardstick that there is none of."""
    document = {name: value for name, value in asdict(result).items() if name != "areas"}
    if result.yardstick is None:
        del document["yardstick"]
    return document | {"left_out": documents(result.left_out)}


@dataclass(frozen=True, slots=True)
class Scores:
    """What the test files of one draw scored."""

    normal: tuple[float, ...]
    anomalous: tuple[float, ...]

    @property
    def roc_auc(self) -> float:
        """How well they separate the two."""
        return roc_auc(self.normal, self.anomalous)


@dataclass(frozen=True, slots=True)
class DrawScores:
    """What became of one draw."""

    ours: Scores
    yardstick: Mapping[str, Scores]
    fit_files: int  # recordings that were learned from
    clips: int


class FitAndScore(Protocol):
    """What is measured."""

    def __call__(self, fit: Sequence[Path], test: Sequence[Path], *, seed: int, report: Report, sieve: Sieve) -> list[float]:
        """Learn from the first files and return the scores of the second: NaN for one that cannot be scored, which stays in the sieve."""
        ...


def fit_and_score(
    fit: Sequence[Path], test: Sequence[Path], *, seed: int, report: Report, sieve: Sieve, settings: CalibrationSettings = DEFAULTS
) -> list[float]:
    """Calibrate a bundle and score with it."""
    model = learn(fit, seed, sieve, settings=settings)
    report(len(fit))
    scores = [float("nan")] * len(test)
    for number, path in enumerate(test):
        with sieve.passing(path):
            scores[number] = score_file(model, path).score
        report(1)
    return scores


def measure_unit(
    unit: Unit,
    *,
    repeats: int | None = None,
    mixer: Mixer | None = None,
    seconds: float | None = None,
    yardstick: bool = False,
    seed: int = 0,
    fit_and_score: FitAndScore = fit_and_score,
    report: Report = lambda files: None,
) -> UnitResult:
    """Fit and test one machine in every draw.

    Parameters
    ----------
    repeats : draws of new fit and test halves; None takes the manifest's split once.
    mixer : what puts background into every clip, anew in every draw and independently for fit and test.
    seconds : learn from clips of this length, into which all recordings are cut, and test one clip of each; None takes whole recordings.
    yardstick : measure the yardstick too, on the same clips.
    fit_and_score : learns from the first files and returns the scores of the second.
    report : called with how many more files are done.

    Raises
    ------
    UserError
        When too little is left to learn from, or nothing to test with, after what cannot be used was left out.
    """
    sieve = Sieve()
    audible = audible_unit(unit, sieve)
    silent = unit.files - audible.files
    if audible.lacks is not None:
        raise nothing_left(audible.lacks, sieve.left_out, unit.files)
    heard = []
    for draw, split in enumerate(splits(audible, repeats, seed)):
        with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
            clips = prepare(audible, split, Path(folder), draw=draw, seed=seed, mixer=mixer, seconds=seconds)
            share = split.files / len(clips.all)  # of a recording, that a clip is of the work
            judge = partial(fit_and_score, seed=seed, report=partial(_share_of, share, report))
            heard.append(_heard(clips, judge, sieve, yardstick))
        report(silent)
    return _result(heard, silent, sieve.left_out, seed)


def _share_of(share: float, report: Report, files: float) -> None:
    report(files * share)


def _heard(clips: Clips, judge: Callable[..., list[float]], sieve: Sieve, yardstick: bool) -> DrawScores:
    """Learn from the clips of one draw and score the others; what cannot be used goes to the sieve by its recording's name."""
    held_back = Sieve()
    paths = [clip.path for clip in clips.test]
    scores = dict(zip(paths, judge([clip.path for clip in clips.fit], paths, sieve=held_back), strict=True))
    for path, score in scores.items():
        if not math.isfinite(score):
            held_back.leave_out(path, "got no score")  # unless it is there already, with its reason
    sieve.adopt(held_back.left_out, {str(clip.path): clip.name for clip in clips.all})
    fit = [clip for clip in clips.fit if not held_back.holds(clip.path)]
    normal, anomalous = ([clip.path for clip in group if not held_back.holds(clip.path)] for group in (clips.normal, clips.anomalous))
    for label, group in (("normal", normal), ("anomalous", anomalous)):
        if not group:
            raise nothing_left(f"no {label} test rows", sieve.left_out, len(clips.all))
    theirs = yardstick_scores([clip.path for clip in fit], normal + anomalous) if yardstick else {}
    return DrawScores(
        ours=Scores(tuple(scores[path] for path in normal), tuple(scores[path] for path in anomalous)),
        yardstick={
            name: Scores(tuple(values[: len(normal)].tolist()), tuple(values[len(normal) :].tolist())) for name, values in theirs.items()
        },
        fit_files=len({clip.recording for clip in fit}),
        clips=len(clips.all),
    )


def _result(heard: Sequence[DrawScores], silent: int, left_out: tuple[LeftOut, ...], seed: int) -> UnitResult:
    scores = [one.ours for one in heard]
    areas = np.concatenate([resampled_roc_auc(s.normal, s.anomalous, seed=seed + number) for number, s in enumerate(scores)])
    interval = percentile_interval(areas)
    first = heard[0]
    return UnitResult(
        roc_auc=float(np.mean([s.roc_auc for s in scores])),
        low=interval.low,
        high=interval.high,
        pauc=float(np.mean([pauc(s.normal, s.anomalous) for s in scores])),
        f1=float(np.mean([best_f1(s.normal, s.anomalous) for s in scores])),
        files=len(first.ours.normal) + len(first.ours.anomalous),
        fit_files=first.fit_files,
        normal_files=len(first.ours.normal),
        anomalous_files=len(first.ours.anomalous),
        areas=areas,
        recordings=silent + first.clips,
        left_out=left_out,
        yardstick=_means([one.yardstick for one in heard]),
    )


def _means(draws: Sequence[Mapping[str, Scores]]) -> dict[str, float] | None:
    """Each score's mean ROC AUC over draws; None when one of them had too little to learn from."""
    return {name: float(np.mean([draw[name].roc_auc for draw in draws])) for name in draws[0]} if all(draws) else None
