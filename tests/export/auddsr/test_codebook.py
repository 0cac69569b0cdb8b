from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from export.auddsr.codebook import COMMITMENT, Codebook


def small() -> Codebook:
    """Three codes in the plane."""
    codebook = Codebook(3, 2)
    codebook.vectors.data = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    return codebook


def features(*points: tuple[float, float]) -> torch.Tensor:
    """One excerpt with these points one after the other in time, (1, 2, time, 1)."""
    return torch.tensor(points).T[None, :, :, None].clone()


def test_codebook_nearest_is_that_of_brute_force() -> None:
    torch.manual_seed(0)
    codebook = Codebook(40, 6)
    x = torch.randn(2, 6, 5, 7)
    found = codebook.nearest(x)
    for b in range(2):
        for t in range(5):
            for m in range(7):
                apart = [float((x[b, :, t, m] - vector).norm()) for vector in codebook.vectors.detach()]
                assert int(found[b, t, m]) == apart.index(min(apart))


def test_codebook_puts_vectors_in_place_of_their_codes() -> None:
    told = small().told(torch.tensor([[[0, 1], [2, 0]]]))
    assert told.shape == (1, 2, 2, 2)
    assert told[0, :, 0, 1].tolist() == [1.0, 0.0]
    assert told[0, :, 1, 0].tolist() == [0.0, 2.0]


def test_codebook_quantized_passes_the_gradient_straight_through() -> None:
    codebook = small()
    x = features((0.9, 0.2), (0.1, 1.8)).requires_grad_()
    weights = torch.tensor([[3.0, -1.0], [0.5, 7.0]]).T[None, :, :, None]
    quantized = codebook.quantized(x)
    torch.testing.assert_close(quantized.detach(), features((1.0, 0.0), (0.0, 2.0)))
    (quantized * weights).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(x.grad, weights)
    assert codebook.vectors.grad is None


def test_codebook_loss_is_that_of_equation_1() -> None:
    """Two features, each (0.2, 0.2) off its vector: a mean square of 0.04, once for the vectors and a quarter for the features."""
    codebook = small()
    x = features((1.2, 0.2), (0.2, 2.2)).requires_grad_()
    quantized, loss = codebook.learned(x)
    torch.testing.assert_close(quantized, codebook.quantized(x))
    assert float(loss.detach()) == pytest.approx(0.04 * (1 + COMMITMENT))
    loss.backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert codebook.vectors.grad is not None
    torch.testing.assert_close(x.grad, torch.full_like(x, COMMITMENT * 2 * 0.2 / 4))
    expected = torch.tensor([[0.0, 0.0], [-2 * 0.2 / 4] * 2, [-2 * 0.2 / 4] * 2])
    torch.testing.assert_close(codebook.vectors.grad, expected)


def test_codebook_renew_moves_codes_that_nothing_was_nearest_to() -> None:
    codebook = small()
    x = features((0.1, 0.0), (0.0, 1.9), (0.0, 0.1))
    codebook.learned(x)
    assert codebook.uses.tolist() == [2.0, 0.0, 1.0]
    kept = codebook.vectors.detach().clone()
    assert codebook.renew(x, torch.Generator().manual_seed(0)) == 1
    assert torch.equal(codebook.vectors[[0, 2]], kept[[0, 2]])
    assert codebook.vectors[1].tolist() in x[0, :, :, 0].T.tolist()
    assert codebook.uses.tolist() == [0.0, 0.0, 0.0]


def test_codebook_by_distance_starts_with_the_code_itself() -> None:
    assert small().by_distance().tolist() == [[0, 1, 2], [1, 0, 2], [2, 0, 1]]
