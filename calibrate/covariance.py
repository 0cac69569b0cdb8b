"""The covariance of few vectors of many numbers: Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance
matrices", equations 14 and 27 to 30."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def ledoit_wolf(centred: Float64, least_share: float = 0.0) -> Float64:
    """The covariance, (dimension, dimension), of vectors whose mean is 0, shape = (n, dimension): shrunk towards equal variances.

    It is shrunk by at least `least_share`: of two vectors, which are each other's mirror images, nothing says that they are too few.
    """
    count, dimension = centred.shape
    sample = centred.T @ centred / count
    target = float(np.trace(sample)) / dimension
    distance = float(np.square(sample).sum()) / dimension - target**2  # d squared, from the target
    # The mean squared distance of single outer products from the sample covariance: b bar squared.
    spread = (float(np.square(np.square(centred).sum(axis=1)).sum()) / count - float(np.square(sample).sum())) / count / dimension
    share = min(1.0, max(least_share, spread / distance)) if distance > 0.0 else 1.0
    shrunk: Float64 = (1.0 - share) * sample
    shrunk[np.diag_indices(dimension)] += share * target
    return shrunk
