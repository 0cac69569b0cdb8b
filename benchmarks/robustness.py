"""How robust a bundle is to the ordinary: false alarms of healthy recordings after a change, and whether faults still stand out of it.

Learned from: the fit rows as they are. Tested: the normal and the anomalous test rows, each as it is and after every change of
`benchmarks/ordinary_changes.py`. An alarm is a recording with a window of score 1.0 or more. Random choices (which microphone, when the
door slams) are drawn anew for every unit, change and file, so that the figures stand for many microphones and not for one.
"""

from __future__ import annotations

import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.clips import Clip, read_clip, write_clip
from benchmarks.datasets.manifest import Unit
from benchmarks.learned import DEFAULTS
from benchmarks.learned import learn as learn_bundle
from benchmarks.ordinary_changes import CHANGES, LOWEST_RATE_HZ, Change, within_full_scale
from benchmarks.share import Share
from calibrate.left_out import LeftOut, Sieve, nothing_left
from calibrate.metrics.bootstrap import RESAMPLES, Interval, percentile_interval, roc_auc_interval
from calibrate.metrics.sample import roc_auc
from calibrate.settings import CalibrationSettings
from edge.errors import AudioError
from edge.judgement.window import ALARM
from edge.scoring import FileScore, score_file

Report = Callable[[float], None]  # of files done

UNCHANGED = "unchanged"
LEVEL = "level"  # the head that says: louder or softer


@dataclass(frozen=True, slots=True)
class Judged:
    """The result for one recording."""

    score: float
    strongest: str  # head of its highest window
    heads: Mapping[str, float]  # what each head contributes to the score of its highest window

    @property
    def alarm(self) -> bool:
        """Whether there would have been an alarm."""
        return self.score >= ALARM

    @property
    def level_only(self) -> bool:
        """Whether the level is the strongest head and the others together do not reach the alarm threshold."""
        return self.strongest == LEVEL and self.without_level < ALARM

    @property
    def without_level(self) -> float:
        """What the other heads contribute."""
        return sum(part for head, part in self.heads.items() if head != LEVEL)


Judge = Callable[[Path], Judged]
Learn = Callable[[Sequence[Path], int, Sieve], Judge]


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The figures of one machine after one change."""

    false_alarms: Share  # of the normal recordings
    new_false_alarms: Share  # of those that are silent as they are
    mean_score: float  # of the normal recordings
    mean_score_interval: Interval
    largest_score: float
    detected: Share  # alarms of the anomalous recordings after the same change
    roc_auc: float | None  # of the anomalous against the normal recordings, both after the change; None without any
    roc_auc_interval: Interval | None
    roc_auc_without_level: float | None  # the same by what the other heads say: a gain moves every score, and a fault has to show beside it
    roc_auc_without_level_interval: Interval | None
    strongest: Mapping[str, int]  # false alarms by the strongest head of their highest window
    told_as_level: Share  # false alarms whose strongest head is the level
    told_as_level_only: Share  # those of them in which the other heads together do not reach the threshold
    turned_down: int  # recordings of both kinds that would have clipped
    turned_down_db: float  # the most that one was turned down


@dataclass(frozen=True, slots=True)
class UnitResult:
    """The figures of one machine, by change; the first is `unchanged`."""

    changes: Mapping[str, ChangeResult]
    fit_files: int
    normal_files: int
    anomalous_files: int
    left_out: tuple[LeftOut, ...]
    recordings: int  # used and left out


@dataclass(frozen=True, slots=True)
class Tested:
    """The test recordings of one machine after one change."""

    normal: tuple[Judged, ...]
    anomalous: tuple[Judged, ...]
    turned_down_db: tuple[float, ...]  # of each recording that would have clipped


def learn(fit: Sequence[Path], seed: int, sieve: Sieve, *, settings: CalibrationSettings = DEFAULTS) -> Judge:
    """Calibrate a bundle; return a function that scores a file, or raises AudioError if it cannot be scored."""
    model = learn_bundle(fit, seed, sieve, settings=settings)
    return lambda path: judged(score_file(model, path))


def judged(heard: FileScore) -> Judged:
    """Reduce a file's windows to what is counted here."""
    scored = [window for window in heard.windows if window.score is not None]
    highest = max(scored, key=lambda window: window.score or 0.0)
    return Judged(heard.score, max(highest.heads, key=lambda head: highest.heads[head]), highest.heads)


def lacks(unit: Unit) -> str | None:
    """Why a unit cannot be measured, or None when it can. Anomalous recordings are welcome, not needed."""
    missing = [what for what, paths in (("fit rows", unit.fit), ("normal test rows", unit.normal)) if not paths]
    return f"no {' and no '.join(missing)}" if missing else None


def files_of(unit: Unit, changes: Mapping[str, Change] = CHANGES) -> int:
    """Count the files that one unit takes, for a progress bar."""
    return len(unit.fit) + (1 + len(changes)) * (len(unit.normal) + len(unit.anomalous))


def measure_unit(
    unit: Unit,
    *,
    changes: Mapping[str, Change] = CHANGES,
    seed: int = 0,
    learn: Learn = learn,
    report: Report = lambda files: None,
) -> UnitResult:
    """Learn one machine and test it after every change.

    Test recordings that cannot be scored as they are or after one of the changes, or have a rate below 8000 Hz, are left out of all.

    Raises
    ------
    UserError
        When too little is left to learn from, or nothing to test with.
    """
    sieve = Sieve()
    judge = learn(unit.fit, seed, sieve)
    report(len(unit.fit))
    heard = {name: _heard(unit, name, change, judge, seed, sieve, report) for name, change in {UNCHANGED: None, **changes}.items()}
    normal, anomalous = ([path for path in paths if not sieve.holds(path)] for paths in (unit.normal, unit.anomalous))
    if not normal:
        raise nothing_left("no normal test rows", sieve.left_out, unit.files)
    tested = {name: _tested(after, normal, anomalous) for name, after in heard.items()}
    return UnitResult(
        changes={name: _result(after, tested[UNCHANGED], seed) for name, after in tested.items()},
        fit_files=sum(not sieve.holds(path) for path in unit.fit),
        normal_files=len(normal),
        anomalous_files=len(anomalous),
        left_out=sieve.left_out,
        recordings=unit.files,
    )


def _heard(
    unit: Unit, name: str, change: Change | None, judge: Judge, seed: int, sieve: Sieve, report: Report
) -> dict[Path, tuple[Judged, float]]:
    """What was said of each test recording after a change, and by how many dB it was turned down for it."""
    heard = {}
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        for path in unit.normal + unit.anomalous:
            file = Path(folder, f"{path.stem}.wav")
            if not sieve.holds(path):
                with sieve.passing(path, copy=file):
                    clip, by_db = _changed(read_clip(path), path, change, _random(unit, seed, name, path))
                    write_clip(file, clip)
                    heard[path] = judge(file), by_db
                file.unlink(missing_ok=True)
            report(1)
    return heard


def _changed(clip: Clip, path: Path, change: Change | None, random: np.random.Generator) -> tuple[Clip, float]:
    """A recording after a change, and by how many dB it was turned down so that it does not clip."""
    if change is None:
        return clip, 0.0
    if clip.rate_hz < LOWEST_RATE_HZ:
        raise AudioError(path, f"has a sample rate of {clip.rate_hz} Hz; the changes need at least {LOWEST_RATE_HZ} Hz")
    changed, by_db = within_full_scale(change(clip.samples, clip.rate_hz, random))
    return Clip(changed, clip.rate_hz), by_db


def _tested(heard: Mapping[Path, tuple[Judged, float]], normal: Sequence[Path], anomalous: Sequence[Path]) -> Tested:
    first, second = (tuple(heard[path][0] for path in paths) for paths in (normal, anomalous))
    return Tested(first, second, tuple(by_db for path in (*normal, *anomalous) if (by_db := heard[path][1])))


def _result(after: Tested, before: Tested, seed: int) -> ChangeResult:
    scores, faults = ([heard.score for heard in group] for group in (after.normal, after.anomalous))
    others, other_faults = ([heard.without_level for heard in group] for group in (after.normal, after.anomalous))
    alarms = [heard for heard in after.normal if heard.alarm]
    silent_before = [now.alarm for now, then in zip(after.normal, before.normal, strict=True) if not then.alarm]
    drawn = np.random.default_rng(seed).integers(0, len(scores), (RESAMPLES, len(scores)))
    return ChangeResult(
        false_alarms=Share(len(alarms), len(after.normal)),
        new_false_alarms=Share(sum(silent_before), len(silent_before)),
        mean_score=float(np.mean(scores)),
        mean_score_interval=percentile_interval(np.array(scores)[drawn].mean(axis=1)),
        largest_score=max(scores),
        detected=Share(sum(heard.alarm for heard in after.anomalous), len(faults)),
        roc_auc=roc_auc(scores, faults) if faults else None,
        roc_auc_interval=roc_auc_interval(scores, faults, seed=seed) if faults else None,
        roc_auc_without_level=roc_auc(others, other_faults) if faults else None,
        roc_auc_without_level_interval=roc_auc_interval(others, other_faults, seed=seed) if faults else None,
        strongest=dict(Counter(heard.strongest for heard in alarms).most_common()),
        told_as_level=Share(sum(heard.strongest == LEVEL for heard in alarms), len(alarms)),
        told_as_level_only=Share(sum(heard.level_only for heard in alarms), len(alarms)),
        turned_down=len(after.turned_down_db),
        turned_down_db=max(after.turned_down_db, default=0.0),
    )


def _random(unit: Unit, seed: int, change: str, path: Path) -> np.random.Generator:
    """Return a generator of its own for each unit, change and file: no choice depends on which others were measured before."""
    return np.random.default_rng([seed, zlib.crc32(f"robustness/{unit.dataset}/{unit.unit}/{change}/{path.name}".encode())])
