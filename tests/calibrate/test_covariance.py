from __future__ import annotations

import numpy as np
import pytest

from calibrate.covariance import ledoit_wolf


@pytest.mark.parametrize(("count", "dimension"), [(3, 2), (8, 200), (50, 40), (400, 30), (2, 5), (7, 1)])
@pytest.mark.parametrize("common", [0.0, 3.0])
def test_ledoit_wolf_is_that_of_scikit_learn(count: int, dimension: int, common: float) -> None:
    sklearn = pytest.importorskip("sklearn.covariance")
    rng = np.random.default_rng(count)
    vectors = rng.standard_normal((count, dimension)) * np.linspace(0.5, 2.0, dimension) + common * rng.standard_normal((count, 1))
    centred = vectors - vectors.mean(axis=0)
    expected = sklearn.LedoitWolf(assume_centered=True).fit(centred).covariance_
    np.testing.assert_allclose(ledoit_wolf(centred), expected, rtol=1e-9, atol=1e-9)


def test_ledoit_wolf_of_vectors_that_do_not_vary_is_nothing() -> None:
    np.testing.assert_array_equal(ledoit_wolf(np.zeros((5, 4))), np.zeros((4, 4)))


def test_ledoit_wolf_of_few_vectors_can_be_inverted() -> None:
    """Eight vectors of 60 numbers: the sample covariance has rank 7."""
    centred = np.random.default_rng(0).standard_normal((8, 60))
    centred -= centred.mean(axis=0)
    values = np.linalg.eigvalsh(ledoit_wolf(centred))
    assert values[0] > 0.1
    assert np.linalg.matrix_rank(centred.T @ centred) == 7
