"""The first minutes of a source without a bundle: what its starter is made of."""

from __future__ import annotations

import os

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.audio.resampler import Resampler
from edge.features.frontend import PANNS

Float32 = NDArray[np.float32]

START_S = 180.0
MOST_HZ = PANNS.sample_rate_hz  # more is of no use to the starter
SUBTYPE = "PCM_24"  # a quiet microphone is far below full scale


class StartingSound:
    """Sound in memory, as a file that no folder has (memfd_create(2)): it is gone with the process, however that ends."""

    def __init__(self, rate_hz: int) -> None:
        """For sound of this rate."""
        self.from_hz = rate_hz
        self.seconds = 0.0
        self._rate_hz = min(rate_hz, MOST_HZ)
        self._memory = os.memfd_create("auscult-start")
        self._begin()

    @property
    def is_full(self) -> bool:
        """Whether it is enough."""
        return self.seconds >= START_S

    @property
    def path(self) -> str:
        """Where another process of the same user finds it, as a WAV file."""
        self._file.flush()
        return f"/proc/{os.getpid()}/fd/{self._memory}"

    def add(self, samples: Float32) -> None:
        """Add samples, shape = (n,); digital silence, what is no number, and what comes when it is full are left out."""
        if self.is_full or not np.isfinite(samples).all() or not samples.any():
            return
        found = self._resampler.push(samples)
        self._file.write(found)
        self.seconds += len(found) / self._rate_hz

    def begin_anew(self) -> None:
        """Forget what there is."""
        self._file.close()
        os.ftruncate(self._memory, 0)
        os.lseek(self._memory, 0, os.SEEK_SET)
        self.seconds = 0.0
        self._begin()

    def close(self) -> None:
        """Give the memory back."""
        self._file.close()
        os.close(self._memory)

    def _begin(self) -> None:
        self._resampler = Resampler(self.from_hz, self._rate_hz)
        self._file = soundfile.SoundFile(self._memory, "w", self._rate_hz, 1, SUBTYPE, format="WAV", closefd=False)
