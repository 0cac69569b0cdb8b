"""The uncertainty of a ROC AUC when scores come in clusters: many cells of one recording, many mixtures over one background.

Scores of one recording rise and fall together, so a bootstrap must draw whole recordings; drawing cells would claim far too much.
Field & Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical Society B 69 (2007): the cluster bootstrap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibrate.metrics.bootstrap import RESAMPLES

Scores = NDArray[np.float64]

BINS = 4096  # of a tied rank: sets with more different scores are rounded to this many quantiles, an error below 1 / 4096 of the area


def draw_clusters(clusters: int, *, seed: int = 0, resamples: int = RESAMPLES) -> NDArray[np.int64]:
    """Return how often each resample holds each cluster, shape (resamples, clusters); every row adds up to `clusters`."""
    drawn = np.random.default_rng(seed).integers(0, clusters, (resamples, clusters))
    return np.stack([np.bincount(row, minlength=clusters) for row in drawn])


def clustered_roc_auc(normal: Sequence[Scores], anomalous: Sequence[Scores], draws: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the ROC AUC of every resample, shape (resamples,).

    Parameters
    ----------
    normal, anomalous
        The scores of each cluster, each shape (n,); either may be empty in some clusters.
    draws
        Shape (resamples, clusters), from `draw_clusters`. Resamples that lack a class, which only few clusters can give, are left out:
        the result is then shorter.
    """
    values = np.unique(np.concatenate([*normal, *anomalous]))
    if len(values) > BINS:
        values = np.unique(np.quantile(values, np.linspace(0, 1, BINS), method="nearest"))
    normal_counts, anomalous_counts = (draws @ _histograms(clusters, values) for clusters in (normal, anomalous))  # (resamples, values)
    pairs = normal_counts.sum(axis=1) * anomalous_counts.sum(axis=1)
    wins = np.cumsum(normal_counts, axis=1) - normal_counts / 2  # normal scores below each value, and half of those that share it
    areas: NDArray[np.float64] = (wins * anomalous_counts).sum(axis=1)[pairs > 0] / pairs[pairs > 0]
    return areas


def _histograms(clusters: Sequence[Scores], values: Scores) -> Scores:
    """Count each cluster's scores by the largest value that is not above them, shape (clusters, values)."""
    ranks = [np.searchsorted(values, scores, side="right") - 1 for scores in clusters]
    return np.stack([np.bincount(rank, minlength=len(values)).astype(np.float64) for rank in ranks])
