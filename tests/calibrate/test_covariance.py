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


@pytest.mark.parametrize("least_share", [0.0, 0.2, 0.7, 1.0])
def test_ledoit_wolf_is_shrunk_by_the_least_share_at_least(least_share: float) -> None:
    """Many vectors ask for hardly any of it, and get just that; few ask for more, and it stays as it is."""
    rng = np.random.default_rng(1)
    many = rng.standard_normal((4000, 4)) * np.array([0.5, 1.0, 2.0, 4.0])
    sample = many.T @ many / len(many)
    equal = np.trace(sample) / 4 * np.eye(4)
    if least_share > 0.0:
        np.testing.assert_allclose(ledoit_wolf(many, least_share), (1.0 - least_share) * sample + least_share * equal, rtol=1e-9, atol=1e-9)
    few = rng.standard_normal((4, 60))
    asked = ledoit_wolf(few)
    by = 1.0 - asked[0, 1] / (few.T @ few / 4)[0, 1]
    assert 0.2 < by < 1.0
    assert np.array_equal(ledoit_wolf(few, least_share), asked) == (least_share < by)


def test_ledoit_wolf_of_two_mirror_images_is_shrunk_by_nothing_but_the_least_share() -> None:
    """They agree altogether, so what lies across their one axis would have no variance at all."""
    vector = np.random.default_rng(2).standard_normal(30)
    mirrored = np.stack([vector, -vector])
    np.testing.assert_allclose(ledoit_wolf(mirrored), np.outer(vector, vector), atol=1e-9)
    values = np.linalg.eigvalsh(ledoit_wolf(mirrored, 0.8))
    np.testing.assert_allclose(values[:-1], 0.8 * float(vector @ vector) / 30)
    assert values[-1] == pytest.approx(0.2 * float(vector @ vector) + values[0])
