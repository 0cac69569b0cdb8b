"""The smallest steady change that is detected: normal recordings as they are, against the same after changes of known size.

Learned from: the fit rows as they are, or half of all normal recordings. Held out, by recording: the other normal ones. All of them are
scored as they are, and some, or all, after every change of `benchmarks/steady_changes.py` too. Draws of halves are pooled.
"""

from __future__ import annotations

import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip, read_clip, write_clip
from benchmarks.datasets.manifest import Unit
from benchmarks.draws import Split, splits
from benchmarks.ordinary_changes import LOWEST_RATE_HZ, within_full_scale
from benchmarks.robustness import Judge, Learn, learn
from benchmarks.share import Share
from benchmarks.steady_changes import KINDS, SteadyChange, Usual, steady_changes, usual_of
from calibrate.left_out import LeftOut, Sieve, nothing_left
from calibrate.metrics.bootstrap import Interval, percentile_interval
from calibrate.metrics.clusters import clustered_roc_auc, draw_clusters
from calibrate.metrics.sample import roc_auc
from edge.audio.audio_file import audio_info
from edge.errors import UserError
from edge.judgement.window import ALARM

Float64 = NDArray[np.float64]
Report = Callable[[float], None]  # of files done

MOST = 20
FALSE_ALARMS = 0.01  # of normal recordings: what counts as heard lies above all others
HALF = 0.5


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The figures of one change of one machine."""

    change: SteadyChange
    roc_auc: float  # of changed recordings against unchanged ones
    roc_auc_interval: Interval
    mean_score: float
    alarms: Share  # at the threshold that the bundle has
    heard: Share  # at one false alarm per 100 recordings
    turned_down: int  # changed recordings that would have clipped


@dataclass(frozen=True, slots=True)
class UnitResult:
    """The figures of one machine."""

    changes: tuple[ChangeResult, ...]
    smallest: Mapping[str, float | None]  # by kind and direction, the smallest size that is detected in half
    threshold: float  # of the score, for one false alarm per 100 recordings
    mean_score: float  # of recordings as they are
    false_alarms: Share  # of them, at the threshold that the bundle has
    fit_files: int  # of one draw
    draws: int
    left_out: tuple[LeftOut, ...]
    recordings: int  # used and left out


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """What one recording scored in one draw."""

    path: Path
    normal: float
    changed: tuple[float, ...]  # after each change; empty when it was only scored as it is
    turned_down: tuple[bool, ...]


def changes_of(unit: Unit, kinds: Sequence[str] = KINDS, seed: int = 0) -> tuple[SteadyChange, ...]:
    """The changes that all recordings of one machine have room for, the same for the same machine and seed.

    Raises
    ------
    UserError
        When no recording can be read, or one has a rate below 8000 Hz.
    """
    rates = {}
    sieve = Sieve()
    for path in unit.fit + unit.normal:
        with sieve.passing(path):
            rates[path] = audio_info(path).rate_hz
    if not rates:
        raise nothing_left("no normal recordings", sieve.left_out, unit.files)
    slowest = min(rates, key=lambda path: rates[path])
    if rates[slowest] < LOWEST_RATE_HZ:
        raise UserError(slowest, f"has a sample rate of {rates[slowest]} Hz; the changes need at least {LOWEST_RATE_HZ} Hz")
    return steady_changes(rates[slowest], lambda purpose: _random(unit, seed, purpose), kinds)


def files_of(unit: Unit, changes: int, *, repeats: int | None = None, most: int = MOST, seed: int = 0) -> int:
    """Count the files that one unit takes, for a progress bar."""
    drawn = splits(unit, repeats, seed)
    return sum(len(split.fit) + len(split.normal) + changes * min(most, len(split.normal)) for split in drawn)


def measure_unit(
    unit: Unit,
    changes: Sequence[SteadyChange],
    *,
    repeats: int | None = None,
    most: int = MOST,
    seed: int = 0,
    learn: Learn = learn,
    report: Report = lambda files: None,
) -> UnitResult:
    """Learn one machine and test it with every change, in every draw.

    Parameters
    ----------
    repeats : draws of new fit and test halves of all normal recordings; None takes the manifest's split once.
    most : change no more recordings than these in one draw, drawn so that fewer are among more.
    report : called with how many more files are done.

    Raises
    ------
    UserError
        When too little is left to learn from, or nothing to test with.
    """
    drawn = splits(unit, repeats, seed)
    sieve = Sieve()
    heard = [one for number, split in enumerate(drawn) for one in _heard(unit, split, number, changes, most, seed, learn, sieve, report)]
    if not any(one.changed for one in heard):
        raise nothing_left("no normal test rows", sieve.left_out, len(unit.fit) + len(unit.normal))
    normal = np.array([one.normal for one in heard])
    threshold = one_in_a_hundred(normal)
    by_recording = defaultdict(list)
    for one in heard:
        by_recording[one.path].append(one)
    draws = draw_clusters(len(by_recording), seed=seed)
    results = tuple(_result(number, change, list(by_recording.values()), threshold, draws) for number, change in enumerate(changes))
    return UnitResult(
        changes=results,
        smallest=smallest(results),
        threshold=threshold,
        mean_score=float(normal.mean()),
        false_alarms=Share(int((normal >= ALARM).sum()), len(normal)),
        fit_files=len(drawn[0].fit),
        draws=len(drawn),
        left_out=sieve.left_out,
        recordings=len(unit.fit) + len(unit.normal),
    )


def one_in_a_hundred(scores: Float64) -> float:
    """Return the score that one normal recording in 100 is above; of fewer than 100 recordings none is: it is the highest."""
    return float(np.quantile(scores, 1.0 - FALSE_ALARMS, method="inverted_cdf"))


def smallest(results: Sequence[ChangeResult]) -> dict[str, float | None]:
    """Return the smallest size that is detected in half of the recordings, or None, by kind and direction (`louder`, `softer`).

    All that has one kind and size is one share, such as the octaves of a band that is 3 dB louder.
    """
    found: dict[str, float | None] = {}
    for direction in dict.fromkeys(result.change.direction for result in results):
        shares: dict[float, list[Share]] = defaultdict(list)
        for result in sorted(results, key=lambda result: result.change.strength):
            if result.change.direction == direction:
                shares[result.change.size].append(result.heard)
        found[direction] = next((size for size, same in shares.items() if _fraction(same) >= HALF), None)
    return found


def _heard(
    unit: Unit, split: Split, draw: int, changes: Sequence[SteadyChange], most: int, seed: int, learn: Learn, sieve: Sieve, report: Report
) -> list[ScoredClip]:
    judge = learn(split.fit, seed, sieve)
    report(len(split.fit))
    usual = usual_of(read_clip(path) for path in split.fit if not sieve.holds(path))
    order = _random(unit, seed, f"changed in {draw}").permutation(len(split.normal))
    changed = set(order[:most].tolist())
    heard = []
    for number, path in enumerate(split.normal):
        with sieve.passing(path):
            normal = judge(path).score
            scored = _changed(unit, path, changes if number in changed else (), usual, judge, seed, report)
            heard.append(ScoredClip(path, normal, tuple(score for score, _ in scored), tuple(down for _, down in scored)))
        report(1)
    return heard


def _changed(
    unit: Unit, path: Path, changes: Sequence[SteadyChange], usual: Usual, judge: Judge, seed: int, report: Report
) -> list[tuple[float, bool]]:
    """Score one recording after each change; say whether it had to be turned down."""
    clip = read_clip(path)
    scored = []
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        file = Path(folder, f"{path.stem}.wav")
        for change in changes:
            random = _random(unit, seed, f"{change.kind}/{change.what}/{path.name}")  # sizes differ in nothing else
            samples, by_db = within_full_scale(change.apply(clip.samples, clip.rate_hz, usual, random))
            write_clip(file, Clip(samples, clip.rate_hz))
            scored.append((judge(file).score, by_db > 0.0))
            report(1)
    return scored


def _result(
    number: int, change: SteadyChange, recordings: Sequence[Sequence[ScoredClip]], threshold: float, draws: NDArray[np.int64]
) -> ChangeResult:
    """The figures of one change; a resample takes a recording with all that it scored, changed and not."""
    normal = [np.array([one.normal for one in same]) for same in recordings]
    changed = [np.array([one.changed[number] for one in same if one.changed]) for same in recordings]
    scores = np.concatenate(changed)
    return ChangeResult(
        change=change,
        roc_auc=roc_auc(np.concatenate(normal), scores),
        roc_auc_interval=percentile_interval(clustered_roc_auc(normal, changed, draws)),
        mean_score=float(scores.mean()),
        alarms=Share(int((scores >= ALARM).sum()), len(scores)),
        heard=Share(int((scores > threshold).sum()), len(scores)),
        turned_down=sum(one.turned_down[number] for same in recordings for one in same if one.changed),
    )


def _fraction(shares: Sequence[Share]) -> float:
    return sum(share.count for share in shares) / sum(share.of for share in shares)


def _random(unit: Unit, seed: int, purpose: str) -> np.random.Generator:
    """Return a generator of its own for each unit and purpose: no choice depends on which others were measured before."""
    return np.random.default_rng([seed, zlib.crc32(f"changes/{unit.dataset}/{unit.unit}/{purpose}".encode())])
