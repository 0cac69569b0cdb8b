"""The scale that networks see log-mel on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAST_DEVIATION_DB = 1e-3


def scale_of(runs: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """Mean and deviation of all values of runs of frames, in dB; run by run, so that little memory is needed."""
    count = sum(run.size for run in runs)
    mean = sum(float(run.sum(dtype=np.float64)) for run in runs) / count
    variance = sum(float(np.square(run.astype(np.float32) - np.float32(mean)).sum(dtype=np.float64)) for run in runs) / count
    return mean, max(variance**0.5, LEAST_DEVIATION_DB)
