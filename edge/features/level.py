"""Loudness: tracked slowly and causally, removed from the features, and kept as a separate signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import BLOCK_CELLS, BLOCK_FRAMES, FrontEnd

Float32 = NDArray[np.float32]

REFERENCE_DB = -20.0  # mean log-mel level that features see: about that of the clips CNN14 was trained on
# Replaces mel bands that the microphone cannot record: about what they hold when it can. A cliff at the last audible band (say 40 dB
# under the reference) outshouts every real change near it, and int8 spends its range on it: its noise was half as much again.
MASKED_DB = REFERENCE_DB - 12.0
TIME_CONSTANT_S = 10.0  # of the tracker: slower than any event, faster than a shift
PRIMING_BLOCKS = 3  # about one second of sound comes before the first frame is normalised


class LevelTracker:
    """Normalises log-mel blocks by a slow, causal level.

    The level is the mean decibel value over the audible bands, averaged over the blocks so far and then with an
    exponential window of 10 s. A mean of decibels hardly moves for a tone or a knock, only for broadband gain.
    """

    def __init__(self, front_end: FrontEnd, mels: int, priming: Float32) -> None:
        """`mels` bands are audible; `priming`, shape = (frames, mel) float32 dB, is the start of the stream."""
        self._mels = mels
        self._level_db = float(priming[:, :mels].mean())
        self._heard = len(priming) / BLOCK_FRAMES  # blocks averaged so far
        self._longest = TIME_CONSTANT_S / (front_end.frame_s * BLOCK_FRAMES)

    def push(self, log_mel: Float32) -> tuple[Float32, Float32]:
        """Normalise one block, shape = (32, mel) float32 dB; return it with the absolute level of its cells, shape = (8,) dB."""
        cells_db = log_mel[:, : self._mels].reshape(BLOCK_CELLS, -1).mean(axis=1)  # (cell,)
        self._heard = min(self._heard + 1.0, self._longest)
        self._level_db += (float(cells_db.mean()) - self._level_db) / self._heard
        normalised = log_mel + np.float32(REFERENCE_DB - self._level_db)  # (32, mel)
        normalised[:, self._mels :] = MASKED_DB
        return normalised, cells_db


def normalise_offline(log_mel: Float32, front_end: FrontEnd, mels: int) -> Float32:
    """What the backbone sees of a whole clip, shape = (frames, mel) float32 dB; trailing frames short of a block are cut."""
    blocks = log_mel[: len(log_mel) // BLOCK_FRAMES * BLOCK_FRAMES].reshape(-1, BLOCK_FRAMES, front_end.mel_bands)
    tracker = LevelTracker(front_end, mels, log_mel[: PRIMING_BLOCKS * BLOCK_FRAMES])
    return np.concatenate([tracker.push(block)[0] for block in blocks])
