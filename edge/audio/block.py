"""A stretch of mono sound from a source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples at the source's native rate, how much was lost just before them, and when they were recorded."""

    samples: NDArray[np.float32]  # (samples,) mono, full scale is -1 to 1, read-only
    lost_samples: int = 0
    heard_at_s: float | None = None  # `edge.clock.now_s` when the last sample was heard; None when the source does not know

    def __post_init__(self) -> None:
        self.samples.flags.writeable = False
