"""What learning in place was worth: false alarms, faults, versions and costs over some machines, static against learning.

Intervals  Rates: exact Poisson (`benchmarks/rate.py`). Shares: Wilson's. Ratios and differences: bootstrap over the days of all machines,
           each with all that was heard in it by both, since alarms of one day are often of one cause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.delay import KINDS as FAULTS
from benchmarks.delay import SCENE_S
from benchmarks.learning import ARMS, LEARNING, PERSON, STATIC, LearningResult, Scene
from benchmarks.learning_happenings import DOOR, SIZES_DB, SPEECH
from benchmarks.learning_site import DAY_H
from benchmarks.rate import Rate
from benchmarks.share import Share
from calibrate.metrics.bootstrap import RESAMPLES, percentile_interval

CAUSES = {"": "the machine", DOOR: "doors", SPEECH: "speech"}
ALL = "all"
LEARN = (LEARNING, PERSON)

Day = Sequence[Scene]


def summary(results: Sequence[LearningResult], promises: Sequence[float], after_h: float) -> dict[str, Any]:
    """Everything for the JSON; alarms and states from so many hours after the start on, where faults are too."""
    late = [scene for result in results for scene in result.scenes if scene.hours >= after_h]
    days = _days(results, after_h)
    return {
        "heard_hours": sum(result.heard_s for result in results) / 3600.0,
        "learned_hours": sum(result.learned_s for result in results) / 3600.0,
        "alarms": [
            _alarms(late, arm, cause, number, promise)
            for number, promise in enumerate(promises)
            for cause in (ALL, *CAUSES.values())
            for arm in ARMS
        ],
        "fewer": [
            {"promised_per_week": promise, "ears": arm, **_fewer(days, arm, number)}
            for number, promise in enumerate(promises)
            for arm in LEARN
        ],
        "states": [_state(late, arm, state) for state in sorted({scene.state for scene in late}) for arm in ARMS],
        "faults": [
            _faults(late, kind, size, number, promise) for number, promise in enumerate(promises) for kind in FAULTS for size in SIZES_DB
        ],
        "faults_heard": [
            {"promised_per_week": promise, "ears": arm, **_faults_heard(days, arm, number)}
            for number, promise in enumerate(promises)
            for arm in LEARN
        ],
        "versions": {str(result.seed): {arm: [asdict(one) for one in made] for arm, made in result.versions.items()} for result in results},
        "accepted_s": {str(result.seed): result.accepted_s for result in results},
        "failures": {str(result.seed): result.failures for result in results},
        "cost": {name: float(np.mean([getattr(result.cost, name) for result in results])) for name in asdict(results[0].cost)},
        "written_bytes_per_day": DAY_H * 3600.0 * sum(result.cost.written_bytes for result in results) / sum(r.heard_s for r in results),
    }


def _is_normal(scene: Scene) -> bool:
    return scene.kind in CAUSES


def _days(results: Sequence[LearningResult], after_h: float) -> list[Day]:
    days: dict[tuple[int, int], list[Scene]] = defaultdict(list)
    for result in results:
        for scene in result.scenes:
            if scene.hours >= after_h:
                days[result.seed, int(scene.hours / DAY_H)].append(scene)
    return list(days.values())


def _count(scenes: Sequence[Scene], arm: str, number: int) -> int:
    """False alarms in scenes without faults."""
    return sum(scene.heard[arm].opened[number] + scene.heard[arm].told[number] for scene in scenes)


def _alarms(late: Sequence[Scene], arm: str, cause: str, number: int, promise: float) -> dict[str, Any]:
    scenes = [scene for scene in late if _is_normal(scene) and cause in (ALL, CAUSES[scene.kind])]
    windows = sum(scene.heard[arm].windows for scene in scenes)
    rate = Rate(_count(scenes, arm, number), max(1.0, SCENE_S * len(scenes)))
    return {
        "promised_per_week": promise,
        "cause": cause,
        "ears": arm,
        "scenes": len(scenes),
        "hours": rate.seconds / 3600.0,
        "alarms": rate.count,
        "per_week": rate.per_week,
        "low": rate.interval.low,
        "high": rate.interval.high,
        "in_alarm": sum(scene.heard[arm].anomalous for scene in scenes) / max(1, windows),
        "hidden": sum(scene.heard[arm].hidden[number] for scene in scenes),
    }


def _fewer(days: Sequence[Day], arm: str, number: int) -> Mapping[str, Any]:
    """How many times fewer false alarms there are than of the static one; null where there are none left."""
    normal = [[scene for scene in day if _is_normal(scene)] for day in days]
    counts = np.array([[_count(day, one, number) for one in (STATIC, arm)] for day in normal])  # (day, arm)
    return _resampled(counts, lambda sums: sums[0] / sums[1] if sums[1] else np.inf)


def _state(late: Sequence[Scene], arm: str, state: str) -> dict[str, Any]:
    scenes = [scene for scene in late if scene.state == state and not scene.kind]
    windows = sum(scene.heard[arm].windows for scene in scenes)
    anomalous = sum(scene.heard[arm].anomalous for scene in scenes)
    return {
        "state": state,
        "ears": arm,
        "scenes": len(scenes),
        "alarms": _count(scenes, arm, 0),
        "in_alarm": anomalous / max(1, windows),
    }


def _faults(late: Sequence[Scene], kind: str, size_db: float, number: int, promise: float) -> dict[str, Any]:
    scenes = [scene for scene in late if scene.kind == kind and scene.size_db == size_db]
    told = {arm: sum(scene.heard[arm].told[number] for scene in scenes) for arm in ARMS}
    hidden = {arm: sum(scene.heard[arm].hidden[number] for scene in scenes) for arm in ARMS}
    return {"promised_per_week": promise, "kind": kind, "size_db": size_db, "faults": len(scenes), "told": told, "hidden": hidden}


def _faults_heard(days: Sequence[Day], arm: str, number: int) -> dict[str, Any]:
    """Of the faults at which neither it nor the static one had an event open: how many each told of, and the difference."""
    pair = (STATIC, arm)
    clear = [[s for s in day if s.kind in FAULTS and not any(s.heard[one].hidden[number] for one in pair)] for day in days]
    counts = np.array([[len(day), *(sum(s.heard[one].told[number] for s in day) for one in pair)] for day in clear])  # (day, count)
    faults, *told = counts.sum(axis=0).tolist()
    document: dict[str, Any] = {"faults": faults}
    for name, count in zip((STATIC, "told"), told, strict=True):
        share = Share(count, faults)
        document[name] = {"told": count, "fraction": share.fraction, "interval": share.interval}
    document["difference"] = _resampled(counts, lambda sums: (sums[2] - sums[1]) / sums[0] if sums[0] else 0.0)
    return document


def _resampled(counts: NDArray[np.int64], figure: Callable[[NDArray[np.int64]], float]) -> Mapping[str, float | None]:
    """A figure of the sums over days, shape = (day, count), with its interval over resampled days; what is without bound is null."""
    random = np.random.default_rng(0)
    drawn = [figure(counts[random.integers(len(counts), size=len(counts))].sum(axis=0)) for _ in range(RESAMPLES)]
    finite = np.minimum(drawn, 1e9)
    low, high = percentile_interval(finite)
    ends = {"value": figure(counts.sum(axis=0)), "low": low, "high": high}
    return {name: None if value >= 1e8 or np.isnan(value) else float(value) for name, value in ends.items()}
