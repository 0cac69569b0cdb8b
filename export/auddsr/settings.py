"""The settings of a training of AudDSR."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudDsrTraining:
    """Everything that decides which weights come out, but for the sound. The defaults of the schedule are the paper's (section 4.1).

    The paper names no sizes. Those of VQ-VAE-2, whose architecture it takes (Razavi et al. 2019), are 512 codes of 64 numbers; of DSR, its
    model for pictures, 4096 of 128, which cost 16 times as much to look up.
    """

    autoencoder_steps: int = 20000
    autoencoder_batch: int = 256
    steps: int = 10000
    batch: int = 16
    learning_rate: float = 2e-4
    codes: int = 512  # in each of the two codebooks
    channels: int = 64  # of the features, and numbers in a code
    seed: int = 0
