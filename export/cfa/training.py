"""Training of a CFA on normal features: descriptors move into hyperspheres around the centres that are nearest to them.

The loss of Lee et al. 2022. With D the squared distance of a descriptor to the centres of its band, r the radius, K = J = 3:

attraction  The mean of max(0, D - r^2) over the K nearest centres.
repulsion   The mean of max(0, r^2 + margin - D) over the J next ones, so that spheres do not come to share all descriptors.

The paper's radius is 1e-5, and it subtracts its margin of 0.1, so nothing is ever repelled: it was made for features of one size, and every
backbone has another. Here the radius is the median distance to the K nearest centres before training, and the margin adds to it.
The published optimizer is kept, AdamW (AMSGrad) with a weight decay of 5e-4, at a tenth of its rate of 1e-3: these weights are small, and
after 30 epochs a synthesised machine's tone and knock score twice as high, while a real fan is told as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge.detectors.cfa import NEAREST
from edge.errors import AudioError
from export.cfa.centres import centres_of, squared_distances
from export.cfa.descriptor import Descriptor
from export.training.loop import run_steps
from export.training.onnx_file import as_onnx

LEARNING_RATE = 1e-4
WEIGHT_DECAY = 5e-4
NEXT = 3  # J, the hard negatives
MARGIN = 0.1
BATCH = 16  # blocks of 8 cells
SETTLING = 256  # blocks that the layer starts from, and the centres


@dataclass(frozen=True, slots=True)
class CfaTraining:
    """The settings of a training; the epochs are the paper's."""

    bands: int
    dimensions: int
    centres: int  # per band
    epochs: int = 30
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainedCfa:
    """A descriptor as an ONNX file that takes 8 cells, and the centres of its spheres."""

    network: bytes
    centres: NDArray[np.float32]  # (band, centre, dimension)


def train_cfa(rows: NDArray[np.float16], told: CfaTraining, device: torch.device) -> TrainedCfa:
    """Train on blocks of normal features, shape = (block, 28672) as `flattened` gives them; the same on a CPU for the same seed.

    Raises
    ------
    AudioError : there is nothing to learn from
    AuscultError : the loss is no number any more
    """
    if not len(rows):
        raise AudioError("recordings", "hold no sound that could be trained on; longer ones are needed")
    order = np.random.default_rng([told.seed, len(rows)]).permutation(len(rows))[:SETTLING]
    some = _on(device, rows[order])
    descriptor = Descriptor(told.bands, told.dimensions, told.seed).to(device)
    descriptor.settle(some)
    with torch.no_grad():
        described = descriptor.of_rows(some)
        centres = centres_of(described, told.centres, torch.Generator().manual_seed(told.seed))
        radius_squared = _nearest(squared_distances(described, centres), NEAREST).median()
    del some, described
    optimizer = torch.optim.AdamW(descriptor.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, amsgrad=True)
    per_epoch = -(-len(rows) // BATCH)

    def learn(step: int) -> float:
        epoch, number = divmod(step, per_epoch)
        shuffled = np.random.default_rng([told.seed, epoch]).permutation(len(rows))
        batch = np.sort(shuffled[number * BATCH : (number + 1) * BATCH])
        loss = coupled_loss(squared_distances(descriptor.of_rows(_on(device, rows[batch])), centres), radius_squared)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    run_steps("training", told.epochs * per_epoch, learn)
    network = as_onnx(descriptor, (8, told.bands, len(descriptor.weight)), "cells", "descriptors")
    return TrainedCfa(network, centres.cpu().numpy())


def coupled_loss(squared: Tensor, radius_squared: Tensor) -> Tensor:
    """Attraction and repulsion, of squared distances to all centres, shape = (..., centre)."""
    nearest = _nearest(squared, min(NEAREST + NEXT, squared.shape[-1]))
    attraction = (nearest[..., :NEAREST] - radius_squared).clamp_min(0.0).mean()
    repelled = nearest[..., NEAREST:]
    if not repelled.numel():
        return attraction
    return attraction + (radius_squared + MARGIN - repelled).clamp_min(0.0).mean()


def _nearest(squared: Tensor, count: int) -> Tensor:
    return squared.topk(count, dim=-1, largest=False).values


def _on(device: torch.device, rows: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(rows).to(device).float()
