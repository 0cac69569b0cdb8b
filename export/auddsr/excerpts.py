"""Excerpts of log-mel to train on: which ones a step uses depends only on the seed and the number of the step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.detectors.auddsr import CONTEXT_FRAMES, SEEN_FRAMES
from export.training.scale import scale_of

Float32 = NDArray[np.float32]


class Excerpts:
    """Runs of frames, continued by their mirror image at both ends, as a detector is shown the beginning and the end of a stretch."""

    def __init__(self, runs: Sequence[NDArray[np.floating]]) -> None:
        """Each run is (frame, mel) dB of at least two frames; shorter ones are left out."""
        afters = [max(CONTEXT_FRAMES, SEEN_FRAMES - len(run)) for run in runs]
        self._runs = [
            np.pad(run.astype(np.float16), ((CONTEXT_FRAMES, after), (0, 0)), mode="reflect")
            for run, after in zip(runs, afters, strict=True)
            if len(run) > 1
        ]
        self.mels = runs[0].shape[1]  # those without sound included
        lengths = np.array([len(run) for run in self._runs], np.float64)
        self._shares = lengths / lengths.sum()

    def draw(self, rng: np.random.Generator, count: int, frames: int) -> Float32:
        """So many excerpts, shape = (excerpt, frame, mel) dB; long runs are drawn more often. `frames` is 256 at most."""
        drawn = []
        for index in rng.choice(len(self._runs), count, p=self._shares):
            run = self._runs[index]
            start = int(rng.integers(0, len(run) - frames + 1))
            drawn.append(run[start : start + frames])
        return np.stack(drawn).astype(np.float32)

    def scale(self) -> tuple[float, float]:
        """Mean and deviation of all values, in dB."""
        return scale_of(self._runs)

    def digest(self) -> str:
        """Shows whether a resumed training gets the same sound."""
        digest = hashlib.sha256()
        for run in self._runs:
            digest.update(run.tobytes())
        return digest.hexdigest()[:16]
