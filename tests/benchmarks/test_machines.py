from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.clips import Clip, pieces, read_clip, write_clip
from benchmarks.datasets.manifest import Unit
from benchmarks.draws import splits
from benchmarks.machines import Report, document_of, measure_unit
from benchmarks.mixing import BackgroundMixer, LevelMixer
from calibrate.left_out import Sieve

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")

RATE_HZ = 16000


def clip(path: Path, seed: int, level: float) -> Path:
    samples = np.random.default_rng(seed).standard_normal(RATE_HZ // 4) * level
    write_clip(path, Clip(samples.astype(np.float32), RATE_HZ))
    return path


def unit_of(folder: Path, fit: int = 5, normal: int = 4, anomalous: int = 3) -> Unit:
    """A machine that is louder when it is broken."""
    return Unit(
        key="fan",
        dataset="factory",
        unit="fan",
        fit=tuple(clip(folder / f"fit{i}.wav", i, 0.05) for i in range(fit)),
        normal=tuple(clip(folder / f"normal{i}.wav", 100 + i, 0.05) for i in range(normal)),
        anomalous=tuple(clip(folder / f"anomalous{i}.wav", 200 + i, 0.1) for i in range(anomalous)),
    )


def loudness(fit: Sequence[Path], test: Sequence[Path], *, seed: int, report: Report, sieve: Sieve) -> list[float]:
    """The simplest detector: how many times as loud as what was learned."""
    report(len(fit) + len(test))
    usual = np.mean([read_clip(path).power for path in fit])
    return [float(read_clip(path).power / usual) for path in test]


def test_splits_without_repeats_are_the_manifests_own(tmp_path: Path) -> None:
    unit = unit_of(tmp_path)
    (split,) = splits(unit, None, seed=0)
    assert (split.fit, split.normal, split.anomalous) == (unit.fit, unit.normal, unit.anomalous)


def test_splits_with_repeats_are_new_halves_of_the_normal_files(tmp_path: Path) -> None:
    unit = unit_of(tmp_path)
    drawn = splits(unit, 4, seed=0)
    assert drawn == splits(unit, 4, seed=0)
    assert drawn != splits(unit, 4, seed=1)
    assert len({split.fit for split in drawn}) > 1
    for split in drawn:
        assert sorted(split.fit + split.normal) == sorted(unit.fit + unit.normal)
        assert (len(split.fit), len(split.normal)) == (5, 4)
        assert split.anomalous == unit.anomalous


def test_measure_unit_with_a_detector_that_hears_the_fault_is_perfect(tmp_path: Path) -> None:
    done: list[float] = []
    result = measure_unit(unit_of(tmp_path), fit_and_score=loudness, report=done.append)
    assert (result.roc_auc, result.low, result.high, result.pauc, result.f1) == (1.0, 1.0, 1.0, 1.0, 1.0)
    assert (result.files, result.fit_files, result.normal_files, result.anomalous_files) == (7, 5, 4, 3)
    assert sum(done) == 12


def test_measure_unit_with_a_detector_that_knows_nothing_has_a_wide_interval_around_a_half(tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def guess(fit: Sequence[Path], test: Sequence[Path], *, seed: int, report: Report, sieve: Sieve) -> list[float]:
        return [float(score) for score in random.uniform(size=len(test))]

    result = measure_unit(unit_of(tmp_path), repeats=30, fit_and_score=guess)
    assert result.roc_auc == pytest.approx(0.5, abs=0.15)
    assert result.low < 0.2
    assert result.high > 0.8


def test_measure_unit_with_background_mixes_it_into_fit_and_test_independently(tmp_path: Path) -> None:
    seen: list[list[Clip]] = []

    def keep(fit: Sequence[Path], test: Sequence[Path], *, seed: int, report: Report, sieve: Sieve) -> list[float]:
        seen.append([read_clip(path) for path in [*fit, *test]])
        return loudness(fit, test, seed=seed, report=report, sieve=sieve)

    unit = unit_of(tmp_path)
    same = unit.fit[0]
    unit = Unit("fan", "factory", "fan", (same, same), (same,), unit.anomalous)
    hums = [clip(tmp_path / f"hum{i}.wav", 300 + i, 0.2) for i in range(50)]
    result = measure_unit(unit, repeats=None, mixer=BackgroundMixer(hums, -12.0), seed=1, fit_and_score=keep)
    again = measure_unit(unit, repeats=None, mixer=BackgroundMixer(hums, -12.0), seed=1, fit_and_score=keep)
    first, second, tested = (mixture.samples for mixture in seen[0][:3])
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, tested)
    assert document_of(result) == document_of(again)
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(*seen, strict=True))


def test_measure_unit_takes_the_level_of_background_from_the_fit_clips_of_each_draw(tmp_path: Path) -> None:
    """Clips of their own loudness each: the background of a draw follows from the mean power of those that it learns from."""
    normal = tuple(clip(tmp_path / f"own{i}.wav", i, 0.02 * (1 + i)) for i in range(6))
    unit = Unit("fan", "factory", "fan", normal[:3], normal[3:], (clip(tmp_path / "anomalous.wav", 9, 0.05),))
    hums = [clip(tmp_path / f"hum{i}.wav", 300 + i, 0.2) for i in range(5)]
    added: list[float] = []

    def keep(fit: Sequence[Path], test: Sequence[Path], *, seed: int, report: Report, sieve: Sieve) -> list[float]:
        added.append(float(np.mean([read_clip(path).power for path in test])))
        return loudness(fit, test, seed=seed, report=report, sieve=sieve)

    measure_unit(unit, repeats=3, mixer=LevelMixer(hums, 30.0), fit_and_score=keep)
    expected = [np.mean([read_clip(path).power for path in split.fit]) for split in splits(unit, 3, seed=0)]
    assert len(set(expected)) > 1
    assert added == pytest.approx(expected, rel=0.2)  # a mixture at +30 dB is nearly all background, turned down to the machine


def test_measure_unit_of_short_clips_learns_from_every_clip_and_tests_one_of_each_recording(tmp_path: Path) -> None:
    unit = unit_of(tmp_path)
    seen: list[tuple[list[Clip], list[Clip]]] = []

    def keep(fit: Sequence[Path], test: Sequence[Path], *, seed: int, report: Report, sieve: Sieve) -> list[float]:
        seen.append(([read_clip(path) for path in fit], [read_clip(path) for path in test]))
        return loudness(fit, test, seed=seed, report=report, sieve=sieve)

    done: list[float] = []
    result = measure_unit(unit, seconds=0.06, seed=1, fit_and_score=keep, report=done.append)
    again = measure_unit(unit, seconds=0.06, seed=1, fit_and_score=keep)
    assert (result.fit_files, result.normal_files, result.anomalous_files) == (5, 4, 3)
    assert document_of(result) == document_of(again)
    assert sum(done) == pytest.approx(12)
    length = round(0.06 * RATE_HZ)
    fit, test = seen[0]
    assert {len(one.samples) for one in [*fit, *test]} == {length}
    whole = [read_clip(path).samples for path in unit.fit]
    assert len(fit) == 5 * 4
    np.testing.assert_array_equal(np.concatenate([one.samples for one in fit[4:8]]), whole[1][: 4 * length])
    starts = [
        next(part for part in range(4) if np.array_equal(one.samples, read_clip(path).samples[part * length : (part + 1) * length]))
        for one, path in zip(test, unit.normal + unit.anomalous, strict=True)
    ]
    assert len(set(starts)) > 1


@pytest.mark.parametrize(("seconds", "lengths"), [(None, [4000]), (0.1, [1600, 1600]), (0.25, [4000]), (1.0, [4000])])
def test_pieces_are_of_one_length_and_a_short_clip_is_one_of_its_own(seconds: float | None, lengths: list[int]) -> None:
    whole = Clip(np.arange(4000, dtype=np.float32), RATE_HZ)
    assert [len(piece.samples) for piece in pieces(whole, seconds)] == lengths
