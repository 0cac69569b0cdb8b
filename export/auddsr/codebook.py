"""A codebook: each feature becomes the nearest of a few vectors (van den Oord et al. 2017, "Neural Discrete Representation Learning")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

COMMITMENT = 0.25  # lambda_K of AudDSR's equation 1


class Codebook(nn.Module):
    """As many vectors as there are codes."""

    def __init__(self, codes: int, channels: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(codes, channels))
        self.uses: Tensor
        self.register_buffer("uses", torch.zeros(codes))  # since `renew` was last called

    def nearest(self, features: Tensor) -> Tensor:
        """The code of the nearest vector at every place, (excerpt, time, mel), of (excerpt, channel, time, mel)."""
        rows = features.permute(0, 2, 3, 1)
        # |f - e|^2 without |f|^2, which is the same for all codes
        distances = self.vectors.square().sum(dim=1) - 2.0 * (rows @ self.vectors.T)
        return distances.argmin(dim=-1)

    def told(self, codes: Tensor) -> Tensor:
        """The vectors of codes, (excerpt, channel, time, mel), of (excerpt, time, mel)."""
        return self.vectors[codes].permute(0, 3, 1, 2)

    def quantized(self, features: Tensor) -> Tensor:
        """The nearest vectors; in the backward pass the features themselves (the straight-through estimator)."""
        nearest = self.told(self.nearest(features))
        return features + (nearest - features).detach()

    def learned(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and equation 1's two terms: vectors move to the features, and features, a quarter as eagerly, to their vectors."""
        codes = self.nearest(features)
        self.uses += torch.bincount(codes.flatten(), minlength=len(self.uses))
        nearest = self.told(codes)
        moved = nn.functional.mse_loss(nearest, features.detach())
        committed = nn.functional.mse_loss(features, nearest.detach())
        return features + (nearest - features).detach(), moved + COMMITMENT * committed

    @torch.no_grad()
    def renew(self, features: Tensor, generator: torch.Generator) -> int:
        """Give codes that nothing was nearest to since the last call the place of a feature drawn at random; how many these were.

        A vector far from all features is never nearest, so nothing would ever move it.
        """
        rows = features.permute(0, 2, 3, 1).flatten(0, 2)
        unused = (self.uses == 0).nonzero().flatten()
        drawn = torch.randint(len(rows), (len(unused),), generator=generator)
        self.vectors[unused] = rows[drawn.to(rows.device)]
        self.uses.zero_()
        return len(unused)

    @torch.no_grad()
    def by_distance(self) -> Tensor:
        """All codes from the nearest to the farthest of each, (code, code); the first is the code itself."""
        return torch.cdist(self.vectors, self.vectors).argsort(dim=1, stable=True)
