"""A stretch of sound that will be written to a file, and its description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """One FLAC file and one JSON file beside it, both called `name`."""

    name: str  # without a suffix
    rate_hz: int
    parts: Sequence[Float32 | int]  # samples, each shape = (n,) mono, or how many were lost, which become zeros
    about: dict[str, Any] = field(default_factory=dict)  # of the JSON file

    @property
    def samples(self) -> int:
        """How long it is."""
        return sum(part if isinstance(part, int) else len(part) for part in self.parts)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.samples / self.rate_hz

    def sound(self) -> Float32:
        """All of it, shape = (samples,), within full scale: what is no number, as broken drivers give, is silence."""
        whole = np.concatenate([np.zeros(part, np.float32) if isinstance(part, int) else part for part in self.parts])
        sound: Float32 = np.clip(np.nan_to_num(whole, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)
        return sound


def excerpt(parts: Sequence[Float32 | int], samples: int) -> list[Float32 | int]:
    """The first `samples` of the sound and gaps."""
    found: list[Float32 | int] = []
    for part in parts:
        length = part if isinstance(part, int) else len(part)
        taken = min(length, samples)
        if taken > 0:
            found.append(taken if isinstance(part, int) else part[:taken])
        samples -= taken
    return found
