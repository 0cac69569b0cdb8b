"""The backbone `logmel`: no network at all. What is left, log-mel patches and the level, is a strong and nearly free baseline."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from edge.features.backbone import Features
from edge.features.frontend import PANNS, FrontEnd

Float32 = NDArray[np.float32]

LOGMEL = "logmel"
NOTHING = Features(*(np.zeros((time, mel, 0), np.float32) for time, mel in ((8, 16), (4, 8), (2, 4))))


class LogMelBackbone:
    """Stands where a `Backbone` stands and computes nothing."""

    has_network = False
    name = LOGMEL
    precision = "fp32"
    sha256 = hashlib.sha256(b"").hexdigest()  # of its weights

    def __init__(self, front_end: FrontEnd = PANNS) -> None:
        self.front_end = front_end

    def stream(self) -> LogMelBackbone:
        """Nothing is kept from block to block, so it is its own stream."""
        return self

    def push(self, log_mel: Float32) -> Features:
        """See `BackboneStream.push`; the features have no channels."""
        return NOTHING
