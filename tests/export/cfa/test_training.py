from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edge.errors import AudioError
from export.cfa.centres import centres_of, squared_distances
from export.cfa.training import MARGIN, CfaTraining, TrainedCfa, coupled_loss, train_cfa

TOLD = CfaTraining(bands=4, dimensions=8, centres=8, epochs=3)
CPU = torch.device("cpu")


def rows(blocks: int, seed: int = 0) -> NDArray[np.float16]:
    """Features of a few kinds, with noise."""
    rng = np.random.default_rng(seed)
    kinds = np.abs(rng.standard_normal((5, 28672)))
    return (kinds[rng.integers(5, size=blocks)] + 0.3 * rng.standard_normal((blocks, 28672))).astype(np.float16)


def test_coupled_loss_worked_out_by_hand() -> None:
    """A radius of 1. First, one of the three nearest is 0.5 outside; then, two of the next three are outside by less than the margin."""
    squared = torch.tensor([[9.0, 0.5, 1.5, 1.0, 1.6, 20.0, 30.0]])
    assert float(coupled_loss(squared, torch.tensor(1.0))) == pytest.approx(0.5 / 3)
    squared = torch.tensor([[0.5, 0.6, 1.03, 1.08, 0.7, 20.0]])
    assert float(coupled_loss(squared, torch.tensor(1.0))) == pytest.approx((MARGIN - 0.03 + MARGIN - 0.08) / 3, rel=1e-5)


def test_coupled_loss_repels_the_next_centres_out_of_the_sphere() -> None:
    squared = torch.tensor([[0.1, 0.1, 0.1, 0.4, 1.0, 2.0, 9.0]], requires_grad=True)
    loss = coupled_loss(squared, torch.tensor(1.0))
    assert float(loss.detach()) == pytest.approx((0.6 + MARGIN + MARGIN) / 3.0)
    (slope,) = torch.autograd.grad(loss, squared)
    np.testing.assert_allclose(slope[0], [0, 0, 0, -1 / 3, -1 / 3, 0, 0], atol=1e-6)


@pytest.mark.parametrize("centres", [3, 4])
def test_coupled_loss_of_fewer_centres_than_it_looks_at_is_a_number(centres: int) -> None:
    assert torch.isfinite(coupled_loss(torch.rand(2, 5, centres), torch.tensor(0.1)))


def test_centres_are_the_means_of_the_points_that_are_nearest_to_them_band_by_band() -> None:
    rng = np.random.default_rng(0)
    places = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]])
    points = np.stack([places[np.arange(60) % 3] + rng.standard_normal((60, 2)), rng.uniform(-1.0, 1.0, (60, 2))], axis=1)
    found = centres_of(torch.tensor(points), 3, torch.Generator().manual_seed(1)).numpy()
    assert found.shape == (2, 3, 2)
    for band in range(2):
        apart = np.linalg.norm(points[:, band, None] - found[band], axis=2)
        for centre in range(3):
            np.testing.assert_allclose(found[band, centre], points[apart.argmin(axis=1) == centre, band].mean(axis=0), atol=1e-9)
    groups = np.stack([points[kind::3, 0].mean(axis=0) for kind in range(3)])
    np.testing.assert_allclose(found[0][np.lexsort(found[0].T)], groups[np.lexsort(groups.T)])


def test_centres_of_fewer_points_come_more_than_once() -> None:
    points = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])
    found = centres_of(points, 5, torch.Generator().manual_seed(0))
    assert found.shape == (1, 5, 2)
    assert torch.isfinite(found).all()


def test_squared_distances_equal_brute_force() -> None:
    rng = np.random.default_rng(0)
    points, centres = rng.standard_normal((7, 3, 4)), rng.standard_normal((3, 5, 4))
    found = squared_distances(torch.tensor(points), torch.tensor(centres)).numpy()
    expected = np.square(points.transpose(1, 0, 2)[:, :, None] - centres[:, None]).sum(axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def train(told: CfaTraining = TOLD) -> TrainedCfa:
    return train_cfa(rows(40), told, CPU)


def test_train_with_the_same_seed_gives_the_same_bytes_and_with_another_others() -> None:
    one, again, other = train(), train(), train(CfaTraining(4, 8, 8, 3, seed=1))
    assert one.network == again.network != other.network
    np.testing.assert_array_equal(one.centres, again.centres)
    assert one.centres.shape == (4, 8, 8)
    assert not np.array_equal(one.centres, other.centres)


def test_train_draws_normal_features_to_their_centres(monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[float] = []

    def watched(label: str, steps: int, learn: object) -> list[float]:
        losses.extend(learn(step) for step in range(steps))  # type: ignore[operator]
        return losses

    monkeypatch.setattr("export.cfa.training.run_steps", watched)
    train(CfaTraining(4, 8, 8, epochs=20))
    assert len(losses) == 20 * 3
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:3])


def test_train_on_nothing_is_refused() -> None:
    with pytest.raises(AudioError, match="hold no sound that could be trained on"):
        train_cfa(np.zeros((0, 0, 0), np.float16), TOLD, CPU)
