from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.changes import ChangeResult, changes_of, files_of, measure_unit, one_in_a_hundred, smallest
from benchmarks.clips import Clip, read_clip, write_clip
from benchmarks.datasets.manifest import Unit
from benchmarks.robustness import Judge, Judged
from benchmarks.share import Share
from benchmarks.steady_changes import SteadyChange
from benchmarks.steady_fan import RATE_HZ, SPREAD_DB, SteadyFan, steady_fan
from calibrate.left_out import Sieve
from calibrate.metrics.bootstrap import Interval
from edge.errors import AudioError, UserError
from export.synthesis.level import level_dbfs

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")


def recording(path: Path, level_db: float, rate_hz: int = RATE_HZ) -> Path:
    samples = np.random.default_rng(1).standard_normal(rate_hz // 2) * 0.02 * 10.0 ** (level_db / 20.0)
    write_clip(path, Clip(samples.astype(np.float32), rate_hz))
    return path


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    """A machine whose clips are up to 0.5 dB louder than while it was learned."""
    return Unit(
        key="fan",
        dataset="factory",
        unit="fan",
        fit=tuple(recording(tmp_path / f"fit{number}.wav", 0.0) for number in range(3)),
        normal=tuple(recording(tmp_path / f"normal{number}.wav", number / 10.0) for number in range(6)),
        anomalous=(),
    )


def loudness(fit: Sequence[Path], _seed: int, _sieve: Sieve) -> Judge:
    """A detector of power: decibels above what is usual, an alarm from 1.5 dB on; deaf to anything that is softer."""
    usual = np.mean([read_clip(path).power for path in fit])
    return lambda path: Judged(10.0 * float(np.log10(read_clip(path).power / usual)) / 1.5, "level", {})


def test_measure_unit_finds_the_smallest_size_of_which_half_is_heard(unit: Unit) -> None:
    done: list[float] = []
    changes = changes_of(unit, ["broadband"])
    result = measure_unit(unit, changes, learn=loudness, report=done.append)
    assert sum(done) == files_of(unit, len(changes)) == 3 + 6 + 6 * 6
    assert result.threshold == pytest.approx(0.5 / 1.5, abs=1e-3)  # the highest of fewer than a hundred
    assert result.mean_score == pytest.approx(0.25 / 1.5, abs=1e-3)
    assert (result.false_alarms, result.fit_files, result.draws) == (Share(0, 6), 3, 1)
    assert [one.change.size for one in result.changes] == [-4.0, -2.0, -1.0, 1.0, 2.0, 4.0]
    assert [one.heard.fraction for one in result.changes] == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert [one.alarms.count for one in result.changes] == [0, 0, 0, 1, 6, 6]  # 0.5 dB and 1 dB are 1.5 dB
    assert [one.roc_auc for one in result.changes] == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert result.changes[4].mean_score == pytest.approx(2.25 / 1.5, abs=1e-3)
    assert result.smallest == {"broadband softer": None, "broadband louder": 1.0}


def test_measure_unit_changes_no_more_than_most_and_scores_all_as_they_are(unit: Unit) -> None:
    changes = changes_of(unit, ["broadband"])
    few = measure_unit(unit, changes, most=2, learn=loudness)
    assert files_of(unit, len(changes), most=2) == 3 + 6 + 2 * 6
    assert [one.heard.of for one in few.changes] == [2] * 6
    assert few.false_alarms.of == 6
    assert few.threshold == measure_unit(unit, changes, learn=loudness).threshold


def test_measure_unit_pools_draws_of_new_halves(unit: Unit) -> None:
    changes = changes_of(unit, ["broadband"])
    result = measure_unit(unit, changes, repeats=3, learn=loudness)
    assert (result.draws, result.fit_files, result.false_alarms.of, result.changes[0].heard.of) == (3, 5, 12, 12)
    assert files_of(unit, len(changes), repeats=3) == 3 * (5 + 4 + 4 * 6)


def test_measure_unit_again_is_the_same_and_with_another_seed_is_not(unit: Unit) -> None:
    first, again, other = (measure_unit(unit, changes_of(unit, ["impulses"], seed), seed=seed, learn=loudness) for seed in (3, 3, 4))
    assert [one.change.what for one in first.changes] == [one.change.what for one in again.changes]
    assert [one.mean_score for one in first.changes] == [one.mean_score for one in again.changes]
    assert [one.roc_auc_interval for one in first.changes] == [one.roc_auc_interval for one in again.changes]
    assert {one.change.what for one in first.changes}.isdisjoint(one.change.what for one in other.changes)


def test_measure_unit_does_not_let_a_fault_follow_the_clip(unit: Unit, tmp_path: Path) -> None:
    heard: dict[str, list[float]] = {}

    def listen(fit: Sequence[Path], _seed: int, _sieve: Sieve) -> Judge:
        def judge(path: Path) -> Judged:
            heard.setdefault(path.stem, []).append(read_clip(path).power)
            return Judged(0.0, "level", {})

        return judge

    louder = replace(unit, normal=(recording(tmp_path / "soft.wav", 0.0), recording(tmp_path / "loud.wav", 6.0)))
    measure_unit(louder, changes_of(louder, ["tone"])[-1:], learn=listen)
    added = [after - before for before, after in heard.values()]
    assert added[0] == pytest.approx(added[1], rel=0.1)


def test_measure_unit_counts_what_would_have_clipped(unit: Unit, tmp_path: Path) -> None:
    loud = replace(unit, normal=(recording(tmp_path / "loud.wav", 21.0), *unit.normal))
    result = measure_unit(loud, changes_of(loud, ["broadband"]), learn=loudness)
    assert [one.turned_down for one in result.changes] == [0, 0, 0, 0, 1, 1]


def test_changes_of_a_rate_too_low_names_the_file(unit: Unit, tmp_path: Path) -> None:
    slow = replace(unit, normal=(*unit.normal, recording(tmp_path / "slow.wav", 0.0, 4000)))
    with pytest.raises(UserError, match=r"slow\.wav: has a sample rate of 4000 Hz; the changes need at least 8000 Hz"):
        changes_of(slow)


def test_changes_of_nothing_but_an_unreadable_recording_names_the_file(unit: Unit, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError, match=r"broken\.wav"):
        changes_of(replace(unit, fit=(tmp_path / "broken.wav",), normal=()))


def test_changes_of_recordings_of_several_rates_fit_the_lowest(unit: Unit, tmp_path: Path) -> None:
    mixed = replace(unit, normal=(*unit.normal, recording(tmp_path / "fast.wav", 0.0, 48000)))
    assert [change.what for change in changes_of(mixed)] == [change.what for change in changes_of(unit)]


def test_one_in_a_hundred_is_the_highest_of_few_and_the_second_highest_of_a_hundred() -> None:
    assert one_in_a_hundred(np.arange(5.0)) == 4.0
    assert one_in_a_hundred(np.arange(99.0)) == 98.0
    assert one_in_a_hundred(np.arange(100.0)) == 98.0
    assert one_in_a_hundred(np.arange(200.0)) == 197.0


def heard(kind: str, what: str, size: float, count: int) -> ChangeResult:
    change = SteadyChange(kind, what, size, "dB", lambda samples, rate_hz, usual, random: samples)
    return ChangeResult(change, 1.0, Interval(1.0, 1.0), 1.0, Share(0, 4), Share(count, 4), 0)


def test_smallest_takes_all_that_has_one_size_together_and_each_direction_apart() -> None:
    results = [
        *(heard("band", "low", size, count) for size, count in ((-6.0, 4), (-3.0, 0), (3.0, 1), (6.0, 4))),
        *(heard("band", "high", size, count) for size, count in ((-6.0, 4), (-3.0, 4), (3.0, 2), (6.0, 0))),
        *(heard("tone", "a tone", size, count) for size, count in ((-20.0, 0), (-10.0, 2), (0.0, 4))),
        heard("impulses", "a bearing", -5.0, 1),
    ]
    assert smallest(results) == {"band softer": -3.0, "band louder": 6.0, "tone": -10.0, "impulses": None}


def test_steady_fan_is_one_fan_whose_clips_differ_little_in_level(tmp_path: Path) -> None:
    fan, again, other = SteadyFan(1), SteadyFan(1), SteadyFan(2)
    clips = [fan.clip(1.0) for _ in range(40)]
    assert np.array_equal(clips[0].samples, again.clip(1.0).samples)
    assert not np.array_equal(clips[0].samples, other.clip(1.0).samples)
    levels = [level_dbfs(clip.samples) for clip in clips]
    assert 0.7 * SPREAD_DB < np.std(levels) < 1.3 * SPREAD_DB
    unit = steady_fan(tmp_path, 1, fit=1, test=2)
    assert (len(unit.fit), len(unit.normal), unit.anomalous) == (1, 2, ())
    assert read_clip(unit.normal[1]).rate_hz == RATE_HZ


def test_measure_unit_leaves_out_what_cannot_be_scored(unit: Unit, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    spoilt = replace(unit, normal=(*unit.normal, tmp_path / "broken.wav"))
    result = measure_unit(spoilt, changes_of(spoilt, ["broadband"]), learn=loudness)
    assert ([Path(one.file).name for one in result.left_out], result.false_alarms.of) == (["broken.wav"], 6)
    without = measure_unit(unit, changes_of(unit, ["broadband"]), learn=loudness)
    assert [one.mean_score for one in result.changes] == [one.mean_score for one in without.changes]
