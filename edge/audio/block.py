"""A stretch of mono sound as a source hands it over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples at the source's native rate, and how much was lost just before them."""

    samples: NDArray[np.float32]  # (samples,) mono, full scale is -1 to 1, read-only
    lost_samples: int = 0

    def __post_init__(self) -> None:
        self.samples.flags.writeable = False
