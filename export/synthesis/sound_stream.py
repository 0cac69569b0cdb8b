"""An endless sound, rendered piece by piece."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class SoundStream(ABC):
    """Renders in blocks of one second inside, so that its samples do not depend on the sizes that are asked for."""

    def __init__(self, sample_rate_hz: int) -> None:
        if sample_rate_hz < 8000:
            raise ValueError(f"sample_rate_hz is {sample_rate_hz}; these machines need at least 8000 Hz")
        self.sample_rate_hz = sample_rate_hz
        self.block_samples = sample_rate_hz
        self._rest = np.zeros(0, np.float32)

    @abstractmethod
    def next_block(self) -> NDArray[np.float32]:
        """The next second of sound; shape = (block_samples,)."""

    def render(self, seconds: float) -> NDArray[np.float32]:
        """The next `seconds` of sound, shape = (round(seconds * sample_rate_hz),) float32: continues where the last call ended."""
        wanted = round(seconds * self.sample_rate_hz)
        if wanted < 0:
            raise ValueError(f"cannot render {seconds} s")
        samples = np.empty(wanted, np.float32)
        filled = 0
        while filled < wanted:
            if not len(self._rest):
                self._rest = self.next_block()
            taken = min(len(self._rest), wanted - filled)
            samples[filled : filled + taken] = self._rest[:taken]
            self._rest = self._rest[taken:]
            filled += taken
        return samples

    def pieces(self, seconds: float, piece_s: float = 60.0) -> Iterator[NDArray[np.float32]]:
        """`seconds` of sound as pieces of at most `piece_s`, for what is too long to hold at once."""
        remaining = round(seconds * self.sample_rate_hz)
        step = round(piece_s * self.sample_rate_hz)
        while remaining > 0:
            piece = min(step, remaining)
            yield self.render(piece / self.sample_rate_hz)
            remaining -= piece
