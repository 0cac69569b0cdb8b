from __future__ import annotations

import pytest
import torch
from torch import Tensor

from export.pretrain.head import EPSILON, Head


@pytest.fixture
def features() -> Tensor:
    """(excerpt, time, mel, channel), of sizes and offsets that differ by orders of magnitude."""
    size = torch.tensor([1e-2, 1.0, 30.0, 1000.0, 0.2])
    return torch.randn(4, 6, 8, 5, generator=torch.Generator().manual_seed(0)) * size + size.flip(0)


@pytest.fixture
def head() -> Head:
    torch.manual_seed(1)
    return Head(5, 3)


def test_head_reads_every_cell_by_itself(head: Head, features: Tensor) -> None:
    head(features)  # so that it knows how large the features are
    head.eval()
    read = head(features)
    assert read.shape == (4, 6, 8, 3)
    assert read.dtype == torch.float32
    assert torch.allclose(head(features[1:2, 2:3, 3:4])[0, 0, 0], read[1, 2, 3], atol=1e-5)


def test_head_while_it_trains_reads_alike_whatever_the_size_of_a_channel(head: Head, features: Tensor) -> None:
    size, offset = torch.tensor([1.0, 50.0, 0.5, 1.0, 20.0]), torch.tensor([0.0, 7.0, -300.0, 1e3, 0.1])
    assert torch.allclose(head(features * size + offset), head(features), atol=1e-2)


def test_head_gives_every_channel_the_same_say(head: Head, features: Tensor) -> None:
    """The gradient on the weights does not follow the size of the features."""
    head(features).square().mean().backward()
    assert isinstance(head.linear.weight.grad, Tensor)
    steps = head.linear.weight.grad.abs().mean(dim=(0, 2, 3))  # (channel,)
    assert float(steps.max() / steps.min()) < 5.0


def test_head_folds_into_one_matrix_and_one_offset(head: Head, features: Tensor) -> None:
    head.norm.momentum = None
    head(features)
    head.eval()
    assert isinstance(head.norm.running_mean, Tensor)
    assert isinstance(head.norm.running_var, Tensor)
    assert isinstance(head.linear.bias, Tensor)
    matrix = head.linear.weight[:, :, 0, 0] / torch.sqrt(head.norm.running_var + EPSILON)  # (output, channel)
    offset = head.linear.bias - matrix @ head.norm.running_mean
    assert torch.allclose(features @ matrix.T + offset, head(features), rtol=1e-3, atol=1e-3)
