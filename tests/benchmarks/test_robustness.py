from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.clips import Clip, read_clip, write_clip
from benchmarks.datasets.manifest import Unit
from benchmarks.ordinary_changes import Change
from benchmarks.robustness import Judge, Judged, files_of, judged, lacks, measure_unit
from calibrate.left_out import Sieve
from edge.errors import UserError
from edge.judgement.window import Localization, Window
from edge.scoring import FileScore

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

RATE_HZ = 16000


def recording(path: Path, seed: int, level: float, rate_hz: int = RATE_HZ) -> Path:
    samples = np.random.default_rng(seed).standard_normal(rate_hz // 4) * level
    write_clip(path, Clip(samples.astype(np.float32), rate_hz))
    return path


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    """A machine that is 6 dB louder when it is broken."""
    return Unit(
        key="fan",
        dataset="factory",
        unit="fan",
        fit=tuple(recording(tmp_path / f"fit{i}.wav", i, 0.02) for i in range(3)),
        normal=tuple(recording(tmp_path / f"normal{i}.wav", 100 + i, 0.02) for i in range(4)),
        anomalous=tuple(recording(tmp_path / f"anomalous{i}.wav", 200 + i, 0.04) for i in range(3)),
    )


def loudness(fit: Sequence[Path], _seed: int, _sieve: Sieve) -> Judge:
    """The simplest detector: the amplitude over one and a half times what is usual; a second head joins in when it is far too loud."""
    usual = np.sqrt(np.mean([read_clip(path).power for path in fit]))

    def judge(path: Path) -> Judged:
        score = float(np.sqrt(read_clip(path).power) / usual / 1.5)
        return Judged(score, "level" if score < 4.0 else "cnn14_moment", {"level": score, "cnn14_moment": score / 2})

    return judge


def times(factor: float) -> Change:
    return lambda samples, rate_hz, random: samples * np.float32(factor)


def sometimes_louder(samples: np.ndarray, rate_hz: int, random: np.random.Generator) -> np.ndarray:
    return samples * np.float32(random.choice([1.0, 2.0]))


def test_measure_unit_counts_alarms_that_the_change_made(unit: Unit) -> None:
    done: list[float] = []
    changes = {"same": times(1.0), "double": times(2.0), "fourfold": times(4.0), "half": times(0.5)}
    result = measure_unit(unit, changes=changes, learn=loudness, report=done.append)
    assert list(result.changes) == ["unchanged", *changes]
    assert sum(done) == files_of(unit, changes) == 3 + 5 * 7
    false_alarms = {name: (figures.false_alarms.count, figures.new_false_alarms.count) for name, figures in result.changes.items()}
    assert false_alarms == {"unchanged": (0, 0), "same": (0, 0), "double": (4, 4), "fourfold": (4, 4), "half": (0, 0)}
    assert {name: figures.detected.count for name, figures in result.changes.items()} == {
        "unchanged": 3,
        "same": 3,
        "double": 3,
        "fourfold": 3,
        "half": 0,
    }
    assert result.changes["same"] == result.changes["unchanged"]
    assert all(figures.roc_auc == 1.0 for figures in result.changes.values())  # a fault stands out of any machine that is changed like it
    double = result.changes["double"]
    assert double.mean_score == pytest.approx(2 * result.changes["unchanged"].mean_score, rel=1e-5)
    assert double.mean_score_interval.low < double.mean_score < double.mean_score_interval.high < double.largest_score


def test_measure_unit_says_which_head_found_the_change(unit: Unit) -> None:
    result = measure_unit(unit, changes={"double": times(2.0), "fourfold": times(4.0), "tenfold": times(10.0)}, learn=loudness)
    told = {name: (dict(f.strongest), f.told_as_level.count, f.told_as_level_only.count) for name, f in result.changes.items()}
    assert told == {
        "unchanged": ({}, 0, 0),
        "double": ({"level": 4}, 4, 4),
        "fourfold": ({"level": 4}, 4, 0),
        "tenfold": ({"cnn14_moment": 4}, 0, 0),
    }
    assert result.changes["tenfold"].told_as_level.of == 4


def test_measure_unit_does_not_blame_a_change_for_what_was_an_alarm_before(unit: Unit) -> None:
    mixed = replace(unit, normal=unit.normal[:2] + unit.anomalous[:1])
    figures = measure_unit(mixed, changes={"double": times(2.0)}, learn=loudness).changes["double"]
    assert (figures.false_alarms.count, figures.false_alarms.of) == (3, 3)
    assert (figures.new_false_alarms.count, figures.new_false_alarms.of) == (2, 2)


def test_measure_unit_turns_down_what_would_clip_and_says_so(unit: Unit) -> None:
    heard: list[float] = []

    def keep(fit: Sequence[Path], seed: int, sieve: Sieve) -> Judge:
        def judge(path: Path) -> Judged:
            heard.append(float(np.abs(read_clip(path).samples).max()))
            return loudness(fit, seed, sieve)(path)

        return judge

    figures = measure_unit(unit, changes={"louder": times(100.0)}, learn=keep).changes["louder"]
    assert max(heard) == pytest.approx(1.0)
    assert figures.turned_down == 7
    assert figures.turned_down_db == pytest.approx(40 + 20 * np.log10(max(heard[:7])), abs=0.01)


def test_measure_unit_draws_for_each_file_by_seed_and_not_by_what_came_before(unit: Unit) -> None:
    whole = measure_unit(unit, changes={"first": times(1.0), "door": sometimes_louder}, seed=1, learn=loudness)
    alone = measure_unit(unit, changes={"door": sometimes_louder}, seed=1, learn=loudness)
    twice = {"door": sometimes_louder, "window": sometimes_louder}
    others = [measure_unit(unit, changes=twice, seed=seed, learn=loudness) for seed in range(2, 8)]
    assert whole.changes["door"] == alone.changes["door"]
    assert len({round(other.changes["door"].mean_score, 6) for other in others}) > 1
    assert any(0 < other.changes["door"].false_alarms.count < 4 for other in others)  # not one draw for all files
    assert any(other.changes["door"] != other.changes["window"] for other in others)


def test_measure_unit_hears_a_fault_beside_the_level(unit: Unit) -> None:
    def confused(_fit: Sequence[Path], _seed: int, _sieve: Sieve) -> Judge:
        """Loudness hides the fault, and the other head hears it."""

        def judge(path: Path) -> Judged:
            loudest = float(np.sqrt(read_clip(path).power))
            return Judged(2.0 - loudest, "level", {"level": 2.0 - loudest, "logmel_sustained": loudest})

        return judge

    figures = measure_unit(unit, changes={}, learn=confused).changes["unchanged"]
    assert (figures.roc_auc, figures.roc_auc_without_level) == (0.0, 1.0)
    assert figures.roc_auc_without_level_interval == (1.0, 1.0)


def test_judged_takes_the_heads_of_the_highest_window() -> None:
    def window(score: float | None, **heads: float) -> Window:
        return Window(0.0, 1.0, score, None, False, heads, 0.0, Localization(0.04, np.zeros(1, np.float32), ()))

    highest = {"level": 0.3, "cnn14": 1.2, "logmel": 0.5}
    windows = (window(None, door=9.0), window(0.8, level=0.8, cnn14=0.2), window(2.0, **highest), window(1.1, level=1.1))
    heard = judged(FileScore(Path("fan.wav"), 2.0, 4.0, windows))
    assert (heard.score, heard.strongest, heard.alarm, heard.level_only, heard.without_level) == (2.0, "cnn14", True, False, 1.7)
    assert heard.heads == highest


@pytest.mark.parametrize(
    ("strongest", "heads", "level_only"),
    [
        ("level", {"level": 1.2, "logmel_sustained": 0.9}, True),
        ("level", {"level": 1.2, "logmel_sustained": 1.1}, False),
        ("logmel_sustained", {"level": 0.5, "logmel_sustained": 0.7}, False),  # an alarm that all heads raise together
    ],
)
def test_judged_level_only_is_the_level_and_nothing_else(strongest: str, heads: dict[str, float], level_only: bool) -> None:
    assert Judged(1.2, strongest, heads).level_only is level_only


def test_measure_unit_without_anomalous_recordings_has_false_alarms_and_no_roc_auc(unit: Unit) -> None:
    figures = measure_unit(replace(unit, anomalous=()), changes={"double": times(2.0)}, learn=loudness).changes["double"]
    assert (figures.roc_auc, figures.roc_auc_interval, figures.detected.fraction) == (None, None, None)
    assert figures.false_alarms.fraction == 1.0


def test_measure_unit_with_a_rate_too_low_for_the_changes_names_the_file(unit: Unit, tmp_path: Path) -> None:
    slow = recording(tmp_path / "slow.wav", 1, 0.05, rate_hz=4000)
    with pytest.raises(UserError, match=r"slow\.wav: has a sample rate of 4000 Hz"):
        measure_unit(replace(unit, normal=(slow,)), learn=loudness)


def test_lacks_asks_for_normal_recordings_only(unit: Unit) -> None:
    assert lacks(replace(unit, anomalous=())) is None
    assert lacks(replace(unit, fit=(), normal=())) == "no fit rows and no normal test rows"
