"""Backbones without a network: the log-mel spectrogram itself, and the level.

`logmel`      The front end that CNN14 hears. Its patches are a strong and nearly free baseline.
`logmel-16k`  The finer bands, up to 8 kHz, that detectors with a network of their own were published with.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from edge.features.backbone import Features
from edge.features.frontend import DCASE, PANNS, FrontEnd

Float32 = NDArray[np.float32]

LOGMEL, LOGMEL_16K = "logmel", "logmel-16k"
LOGMELS = {LOGMEL: PANNS, LOGMEL_16K: DCASE}
NOTHING = Features(*(np.zeros((time, mel, 0), np.float32) for time, mel in ((8, 16), (4, 8), (2, 4))))


class LogMelBackbone:
    """Takes the place of a `Backbone` and computes nothing."""

    has_network = False
    precision = "fp32"
    sha256 = hashlib.sha256(b"").hexdigest()  # of its weights

    def __init__(self, front_end: FrontEnd = PANNS) -> None:
        self.front_end = front_end
        self.name = next((name for name, known in LOGMELS.items() if known == front_end), LOGMEL)

    @classmethod
    def load(cls, name: str) -> LogMelBackbone:
        """The one of that name; KeyError when there is none."""
        return cls(LOGMELS[name])

    def stream(self) -> LogMelBackbone:
        """Nothing is kept from block to block, so it is its own stream."""
        return self

    def push(self, log_mel: Float32) -> Features:
        """See `BackboneStream.push`; the features have no channels."""
        return NOTHING
