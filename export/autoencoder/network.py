"""The network of the DCASE 2020 Task 2 baseline (Koizumi et al. 2020, section 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN = (128, 128, 128, 128, 8, 128, 128, 128, 128)  # the eight in the middle are all that a stack may be told in


class DenseAutoencoder(nn.Module):
    """Dense layers with batch norms and rectifiers between an input and an output of the same width.

    The layers see values on a scale of about one, which they learn fast on. All bands have the same scale, so that errors stay what they
    were: in decibels, squared.
    """

    def __init__(self, width: int, mean_db: float, deviation_db: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((width, *HIDDEN[:-1]), HIDDEN, strict=True):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], width))
        self.mean_db: Tensor
        self.deviation_db: Tensor
        self.register_buffer("mean_db", torch.tensor(mean_db))
        self.register_buffer("deviation_db", torch.tensor(deviation_db))

    def forward(self, stacks: Tensor) -> Tensor:
        """Stacks, (stack, width) dB, as they come back."""
        restored: Tensor = self.layers((stacks - self.mean_db) / self.deviation_db) * self.deviation_db + self.mean_db
        return restored
