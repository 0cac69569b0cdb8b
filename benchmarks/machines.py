"""How well faults are heard: fit each machine on its own normal recordings, score the held-out ones, one figure per machine.

Every machine gets the same defaults. A file's score is its highest window's (`edge/scoring.py`, the code that `auscult score` runs).
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip, pieces, read_clip, write_clip
from benchmarks.datasets.manifest import Unit
from benchmarks.mixing import Mix, Mixer
from calibrate.calibration import CalibrationSettings, calibrate, with_seed
from calibrate.metrics.bootstrap import percentile_interval, resampled_roc_auc
from calibrate.metrics.sample import best_f1, pauc, roc_auc
from edge.errors import UserError
from edge.model import Model
from edge.scoring import score_file

Float64 = NDArray[np.float64]
Report = Callable[[float], None]  # of files done

DEFAULTS = CalibrationSettings(bad_recordings="drop")  # recordings that cannot be learned from are left out


@dataclass(frozen=True, slots=True)
class Split:
    """Which recordings of a unit are learned from and which are tested."""

    fit: tuple[Path, ...]
    normal: tuple[Path, ...]
    anomalous: tuple[Path, ...]

    @property
    def files(self) -> int:
        """All of them."""
        return len(self.fit) + len(self.normal) + len(self.anomalous)


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


def document_of(result: UnitResult) -> dict[str, float]:
    """The figures without the resamples."""
    return {name: value for name, value in asdict(result).items() if name != "areas"}


@dataclass(frozen=True, slots=True)
class Scores:
    """What the test files of one draw scored."""

    normal: tuple[float, ...]
    anomalous: tuple[float, ...]


FitAndScore = Callable[[Sequence[Path], Sequence[Path], int, Report], list[float]]


def fit_and_score(
    fit: Sequence[Path], test: Sequence[Path], seed: int, report: Report, *, settings: CalibrationSettings = DEFAULTS
) -> list[float]:
    """Calibrate a bundle and score with it."""
    settings = with_seed(settings, seed)
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        bundle = Path(folder, "machine.auscult")
        calibrate(list(fit), bundle, settings)
        report(len(fit))
        model = Model.load(bundle)
    scores = []
    for path in test:
        scores.append(score_file(model, path).score)
        report(1)
    return scores


def splits(unit: Unit, repeats: int | None, seed: int) -> list[Split]:
    """Return the manifest's own split, or `repeats` random halves of all normal recordings; the anomalous ones are always tested."""
    if repeats is None:
        return [Split(unit.fit, unit.normal, unit.anomalous)]
    normal = unit.fit + unit.normal
    drawn = []
    for repeat in range(repeats):
        order = _random(unit, seed, repeat, "halves").permutation(len(normal))
        half = (len(normal) + 1) // 2
        drawn.append(Split(tuple(normal[i] for i in sorted(order[:half])), tuple(normal[i] for i in sorted(order[half:])), unit.anomalous))
    return drawn


def measure_unit(
    unit: Unit,
    *,
    repeats: int | None = None,
    mixer: Mixer | None = None,
    seconds: float | None = None,
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
    fit_and_score : learns from the first files and returns the scores of the second.
    report : told how many more files are done.
    """
    drawn = splits(unit, repeats, seed)
    scores = [_scores(unit, split, number, mixer, seconds, seed, fit_and_score, report) for number, split in enumerate(drawn)]
    areas = np.concatenate([resampled_roc_auc(s.normal, s.anomalous, seed=seed + number) for number, s in enumerate(scores)])
    interval = percentile_interval(areas)
    first = drawn[0]
    return UnitResult(
        roc_auc=float(np.mean([roc_auc(s.normal, s.anomalous) for s in scores])),
        low=interval.low,
        high=interval.high,
        pauc=float(np.mean([pauc(s.normal, s.anomalous) for s in scores])),
        f1=float(np.mean([best_f1(s.normal, s.anomalous) for s in scores])),
        files=len(first.normal) + len(first.anomalous),
        fit_files=len(first.fit),
        normal_files=len(first.normal),
        anomalous_files=len(first.anomalous),
        areas=areas,
    )


def _scores(
    unit: Unit,
    split: Split,
    draw: int,
    mixer: Mixer | None,
    seconds: float | None,
    seed: int,
    fit_and_score: FitAndScore,
    report: Report,
) -> Scores:
    """Prepare the clips of one draw in a temporary folder, learn from some, score the others."""
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        which = _random(unit, seed, draw, "clips")

        def every(clip: Clip) -> list[Clip]:
            return pieces(clip, seconds)

        def one(clip: Clip) -> list[Clip]:
            cut = every(clip)
            return [cut[which.integers(len(cut))]]

        mix = mixer.of_unit(map(read_clip, split.fit)) if mixer else None
        fit = _prepared(split.fit, Path(folder, "fit"), mix, _random(unit, seed, draw, "fit"), every)
        test = _prepared(split.normal + split.anomalous, Path(folder, "test"), mix, _random(unit, seed, draw, "test"), one)
        share = split.files / (len(fit) + len(test))  # of a recording, that a clip is of the work
        scores = fit_and_score(fit, test, seed, lambda files: report(files * share))
    if not np.isfinite(scores).all():
        raise UserError(unit.key, "a test recording got no score")
    return Scores(tuple(scores[: len(split.normal)]), tuple(scores[len(split.normal) :]))


def _prepared(
    paths: Sequence[Path], folder: Path, mix: Mix | None, random: np.random.Generator, cut: Callable[[Clip], list[Clip]]
) -> list[Path]:
    """Write the first channel of each recording, with background if there is any, cut into clips."""
    folder.mkdir()
    prepared = []
    for number, path in enumerate(paths):
        clip = read_clip(path)
        for part, piece in enumerate(cut(mix(clip, random) if mix else clip)):
            target = folder / f"{number:05}_{part:05}_{path.stem}.wav"
            write_clip(target, piece)
            prepared.append(target)
    return prepared


def _random(unit: Unit, seed: int, draw: int, purpose: str) -> np.random.Generator:
    """Return a generator of its own for each unit, draw and purpose: no choice depends on which other units were measured before."""
    return np.random.default_rng([seed, draw, zlib.crc32(f"{unit.dataset}/{unit.unit}/{purpose}".encode())])
