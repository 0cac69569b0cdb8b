"""Training of the dense autoencoder: normal sound only, mean squared error, Adam (Koizumi et al. 2020, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge.detectors.autoencoder import STACKED, STACKS
from edge.errors import AudioError
from export.autoencoder.network import DenseAutoencoder
from export.training.loop import run_steps
from export.training.onnx_file import as_onnx
from export.training.scale import scale_of

LEARNING_RATE = 1e-3
FEWEST_STACKS = 32


@dataclass(frozen=True, slots=True)
class AutoencoderTraining:
    """The settings of a training; the defaults are the baseline's."""

    epochs: int = 100
    batch: int = 512
    seed: int = 0


def train_autoencoder(runs: Sequence[NDArray[np.floating]], told: AutoencoderTraining, device: torch.device) -> DenseAutoencoder:
    """Train on runs of normal log-mel frames, each (frame, mel) dB: every five neighbouring frames of a run are one example.

    Raises
    ------
    AudioError : there is too little sound
    """
    frames = torch.from_numpy(np.concatenate([run.astype(np.float16) for run in runs])).to(device)  # (frame, mel)
    ends = np.cumsum([len(run) for run in runs])
    firsts = np.concatenate([np.arange(end - len(run), end - STACKED + 1) for end, run in zip(ends, runs, strict=True)])  # (stack,)
    if len(firsts) < FEWEST_STACKS:
        raise AudioError("recordings", "hold too little sound to train an autoencoder on; at least a few seconds are needed")
    torch.manual_seed(told.seed)
    network = DenseAutoencoder(STACKED * frames.shape[1], *scale_of(runs)).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    batch = min(told.batch, len(firsts))
    per_epoch = len(firsts) // batch  # what is left over takes its turn in another epoch
    offsets = torch.arange(STACKED, device=device)

    def learn(step: int) -> float:
        epoch, number = divmod(step, per_epoch)
        order = np.random.default_rng([told.seed, epoch]).permutation(firsts)[number * batch : (number + 1) * batch]
        stacks = frames[torch.from_numpy(order).to(device)[:, None] + offsets].flatten(1).float()  # (stack, 5 mel)
        loss = nn.functional.mse_loss(network(stacks), stacks)
        optimizer.zero_grad(set_to_none=True)
        (loss / network.deviation_db.square()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    network.train()
    run_steps("training", told.epochs * per_epoch, learn)
    return network.eval()


def exported(network: DenseAutoencoder) -> bytes:
    """The network as edge/detectors/autoencoder.py runs it: on the stacks of a block."""
    return as_onnx(network, (STACKS, network.layers[0].in_features), "stacks", "restored")  # type: ignore[arg-type]  # of a Linear
