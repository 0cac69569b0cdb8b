from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from edge.detectors.autoencoder import STACKED
from edge.errors import AudioError
from export.autoencoder.network import HIDDEN, DenseAutoencoder
from export.autoencoder.training import AutoencoderTraining, train_autoencoder

CPU = torch.device("cpu")


def machine(seconds: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Frames of 8 mels, in which a hum goes up and down."""
    rng = np.random.default_rng(seed)
    frames = np.arange(seconds * 31)
    shape = 10.0 * np.sin(2 * np.pi * frames[:, None] / 31.0 + np.arange(8)) - 30.0
    frames_db: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = (shape + rng.standard_normal(shape.shape)).astype(np.float32)
    return frames_db


def test_dense_autoencoder_is_that_of_the_baseline() -> None:
    network = DenseAutoencoder(640, 0.0, 1.0)
    linear = [(layer.in_features, layer.out_features) for layer in network.layers if isinstance(layer, nn.Linear)]
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    assert linear == list(pairwise(widths))
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in network.layers) == len(HIDDEN)
    assert isinstance(network.layers[-1], nn.Linear)  # decibels may be negative


def test_dense_autoencoder_sees_values_on_its_scale_and_gives_decibels() -> None:
    torch.manual_seed(0)
    plain = DenseAutoencoder(10, 0.0, 1.0).eval()
    scaled = DenseAutoencoder(10, -20.0, 8.0).eval()
    scaled.layers.load_state_dict(plain.layers.state_dict())
    x = torch.randn(3, 10)
    torch.testing.assert_close(scaled(8.0 * x - 20.0), 8.0 * plain(x) - 20.0)


def test_train_autoencoder_reproduces_the_machine_and_not_another() -> None:
    network = train_autoencoder([machine(20, 0), machine(20, 1)], AutoencoderTraining(epochs=20, batch=64), CPU)

    def error(frames: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
        stacks = torch.from_numpy(np.stack([frames[t : t + STACKED].ravel() for t in range(len(frames) - STACKED + 1)]))
        with torch.inference_mode():
            return float((network(stacks) - stacks).square().mean())

    new, other = machine(5, 2), machine(5, 3)[:, ::-1].copy()
    assert error(new) < 0.4 * float(np.var(new))
    assert error(other) > 3.0 * error(new)


def test_train_autoencoder_no_stack_lies_across_two_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    forward = DenseAutoencoder.forward

    def look(self: DenseAutoencoder, stacks: torch.Tensor) -> torch.Tensor:
        seen.append(stacks.clone())
        return forward(self, stacks)

    monkeypatch.setattr(DenseAutoencoder, "forward", look)
    runs = [
        np.full((length, 1), value, np.float32) + np.arange(length, dtype=np.float32)[:, None]
        for value, length in ((0, 24), (100, 4), (200, 20))
    ]
    train_autoencoder(runs, AutoencoderTraining(epochs=1, batch=36), CPU)
    stacks = torch.cat(seen)
    assert len(stacks) == 20 + 0 + 16
    assert len(torch.unique(stacks, dim=0)) == 36  # each once
    torch.testing.assert_close(stacks[:, 4] - stacks[:, 0], torch.full((36,), 4.0))


def test_train_autoencoder_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    def trained(seed: int) -> list[torch.Tensor]:
        return list(train_autoencoder([machine(5, 0)], AutoencoderTraining(2, 32, seed), CPU).state_dict().values())

    first, again, other = trained(0), trained(0), trained(1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_train_autoencoder_on_hardly_any_sound_is_refused() -> None:
    with pytest.raises(AudioError, match="too little sound"):
        train_autoencoder([machine(1, 0)], AutoencoderTraining(), CPU)
