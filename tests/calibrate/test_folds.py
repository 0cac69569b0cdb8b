from __future__ import annotations

from pathlib import Path

import pytest

from calibrate.embeddings import Recording
from calibrate.folds import FOLDS, Folds


def recordings(*cells: int) -> list[Recording]:
    return [Recording(Path(f"{index}.wav"), 0, count) for index, count in enumerate(cells)]


def folds_of(folds: Folds, recording: int, cells: int) -> list[int]:
    return [folds.of(recording, cell) for cell in range(cells)]


@pytest.mark.parametrize("count", [3, 4, 5, 12])
def test_folds_of_several_recordings_keep_each_whole(count: int) -> None:
    folds = Folds(recordings(*[100] * count))
    assert folds.count == min(FOLDS, count)
    assert all(len(set(folds_of(folds, index, 100))) == 1 for index in range(count))
    assert {folds.of(index, 0) for index in range(count)} == set(range(folds.count))


@pytest.mark.parametrize("count", [1, 2])
def test_folds_of_few_recordings_cut_each_into_consecutive_pieces(count: int) -> None:
    folds = Folds(recordings(*[103] * count))
    for index in range(count):
        pieces = folds_of(folds, index, 103)
        assert pieces == sorted(pieces)
        assert [pieces.count(fold) for fold in range(FOLDS)] == [21, 21, 20, 21, 20]


def test_folds_with_one_recording_longer_than_all_others_cut_it() -> None:
    folds = Folds(recordings(1000, 20, 20, 20))
    assert set(folds_of(folds, 0, 1000)) == set(range(FOLDS))


def test_folds_of_cells_past_the_expected_end_stay_in_the_last_fold() -> None:
    folds = Folds(recordings(100))
    assert folds.of(0, 100) == folds.of(0, 250) == FOLDS - 1


def test_folds_of_a_recording_without_cells_have_a_fold_for_it() -> None:
    assert Folds(recordings(0)).of(0, 0) == 0
