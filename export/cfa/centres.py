"""The memory bank of CFA: the centres of the hyperspheres, k-means of normal descriptors (Lee et al. 2022), band by band."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 20


@torch.no_grad()
def centres_of(descriptors: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Centres (band, count, dimension) of descriptors (time, band, dimension).

    Lloyd's algorithm from `count` descriptors drawn at random; some come twice where there are fewer. A centre that is nearest to nothing
    stays where it is.
    """
    found = []
    for points in descriptors.unbind(dim=1):  # (time, dimension)
        order = torch.randperm(len(points), generator=generator)
        centres = points[order.repeat(-(-count // len(points)))[:count].to(points.device)]
        for _ in range(ROUNDS):
            nearest = torch.cdist(points, centres).argmin(dim=1)
            member = torch.nn.functional.one_hot(nearest, count).to(points.dtype)  # (time, count)
            sizes = member.sum(dim=0)[:, None]
            centres = torch.where(sizes > 0, member.T @ points / sizes.clamp_min(1.0), centres)
        found.append(centres)
    return torch.stack(found)


def squared_distances(descriptors: Tensor, centres: Tensor) -> Tensor:
    """Between descriptors (time, band, dimension) and the centres of their band: (band, time, centre)."""
    by_band = descriptors.transpose(0, 1)
    lengths = by_band.square().sum(dim=-1, keepdim=True) + centres.square().sum(dim=-1)[:, None]
    return (lengths - 2.0 * by_band @ centres.transpose(1, 2)).clamp_min(0.0)
