"""The trunk alone, computed three ways from the same log-mel: sliding windows, streamed in fp32, streamed in int8."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from edge.features.backbone import Backbone
from edge.features.frontend import BLOCK_FRAMES
from edge.features.level import normalise_offline
from edge.features.logmel import offline_log_mel
from export.synthesis import RotatingMachine

WINDOW_S = 10.0
HOP_S = 0.5
FRAMES_MULTIPLE = 16  # what the graph's four poolings ask for
STATE_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


def machine_log_mel(backbone: Backbone, seconds: float, seed: int) -> NDArray[np.float32]:
    """Return log-mel of a synthesised machine as the backbone sees it, shape (frames, mel) float32 dB."""
    front_end = backbone.front_end
    samples = RotatingMachine(seed, front_end.sample_rate_hz).render(seconds)
    return normalise_offline(offline_log_mel(samples, front_end), front_end, front_end.mel_bands)


class NaiveTrunk:
    """Every window is computed from scratch: what a program does that feeds a network its last 10 s every half second."""

    def __init__(self, backbone: Backbone) -> None:
        self._session = backbone.session
        self._frames = int(WINDOW_S / backbone.front_end.frame_s) // FRAMES_MULTIPLE * FRAMES_MULTIPLE
        inputs = [value for value in self._session.get_inputs() if value.name.startswith("state_")]
        self._states = {value.name: np.zeros(value.shape, STATE_TYPES[value.type]) for value in inputs}
        self._outputs = ["block2", "block3", "block4"]

    def ms_per_s(self, log_mel: NDArray[np.float32]) -> float:
        """Compute the windows that fall due in one second; return the milliseconds of CPU time that took."""
        window = np.ascontiguousarray(log_mel[: self._frames])[None, None]  # (1, 1, frames, mel)
        windows = round(1.0 / HOP_S)
        start = time.process_time()
        for _ in range(windows):
            self._session.run(self._outputs, {"log_mel": window, **self._states})
        return 1000.0 * (time.process_time() - start)


class StreamedTrunk:
    """Every frame is computed once, as the daemon does."""

    def __init__(self, backbone: Backbone) -> None:
        self._stream = backbone.stream()
        self._block_s = BLOCK_FRAMES * backbone.front_end.frame_s

    def ms_per_s(self, log_mel: NDArray[np.float32]) -> float:
        """Compute all of it, shape (frames, mel); return the milliseconds of CPU time that a second of it took."""
        blocks = log_mel[: len(log_mel) // BLOCK_FRAMES * BLOCK_FRAMES].reshape(-1, BLOCK_FRAMES, log_mel.shape[1])
        start = time.process_time()
        for block in blocks:
            self._stream.push(block)
        return 1000.0 * (time.process_time() - start) / (len(blocks) * self._block_s)
