from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrate.fitters.spacing import NEIGHBOURS, spacing

Float32 = NDArray[np.float32]


def by_definition(folds: list[Float32]) -> list[list[float]]:
    rows = []
    for left_out in range(len(folds)):
        row = []
        for own, fold in enumerate(folds):
            others = [patch for k, rest in enumerate(folds) if k != own and (k != left_out or len(folds) == 2) for patch in rest]
            row += [float(np.mean(np.sort([np.linalg.norm(patch - other) for other in others])[:NEIGHBOURS])) for patch in fold]
        rows.append(row)
    return rows


@pytest.mark.parametrize("sizes", [(6, 9), (30, 20, 25), (5, 1, 2, 40, 3)])
def test_spacing_is_the_mean_distance_to_the_four_nearest_of_other_folds(sizes: tuple[int, ...]) -> None:
    folds = [np.random.default_rng(size).normal(0.0, 1.0, (size, 5)).astype(np.float32) for size in sizes]
    found, expected = spacing(folds), by_definition(folds)
    assert found.shape == (len(folds), sum(sizes))
    ends = np.cumsum([0, *sizes])
    for left_out in range(len(folds)):
        for own in range(len(folds)):
            if own != left_out or len(folds) == 2:  # patches that are left out are met by nobody
                span = slice(ends[own], ends[own + 1])
                np.testing.assert_allclose(found[left_out, span], expected[left_out][span], rtol=1e-4)


def test_spacing_is_small_where_recordings_agree_and_large_where_they_do_not() -> None:
    rng = np.random.default_rng(0)
    folds = [np.concatenate([rng.normal(0.0, 0.1, (20, 4)), rng.normal(50.0, 5.0, (20, 4))]).astype(np.float32) for _ in range(4)]
    known = spacing(folds)
    same, different = np.tile(np.repeat([True, False], 20), 4), np.tile(np.repeat([False, True], 20), 4)
    assert known[:, same].max() < 0.1 * known[:, different].min()


def test_spacing_of_a_single_fold_is_none() -> None:
    assert not spacing([np.random.default_rng(0).normal(0.0, 1.0, (9, 3)).astype(np.float32)]).any()
