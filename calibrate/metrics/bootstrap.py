"""The uncertainty of a figure: percentile intervals over stratified bootstrap resamples.

Stratified: every resample holds as many normal and as many anomalous recordings as the set itself (drawn with replacement within each
class), so that no resample of a small set lacks a class. Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


def roc_auc_interval(normal: ArrayLike, anomalous: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return the 95 % bootstrap interval of the ROC AUC of two sets of scores, each shape (recordings,)."""
    return percentile_interval(resampled_roc_auc(normal, anomalous, seed=seed, resamples=resamples))


def percentile_interval(values: ArrayLike) -> Interval:
    """Return the span of the middle 95 % of `values`, shape (resamples,)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.asarray(values, np.float64), [tail, 1 - tail])
    return Interval(float(low), float(high))


def resampled_roc_auc(normal: ArrayLike, anomalous: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """Return the ROC AUC of every resample, shape (resamples,).

    A resample only changes how often each score counts, so the scores are ranked once and the area is counted: for each distinct score,
    the anomalous recordings that have it win against the normal recordings below it and draw with those that share it.
    """
    normal_scores, anomalous_scores = np.asarray(normal, np.float64), np.asarray(anomalous, np.float64)
    ranks = np.unique(np.concatenate([normal_scores, anomalous_scores]), return_inverse=True)[1].reshape(-1)
    normal_ranks, anomalous_ranks = ranks[: len(normal_scores)], ranks[len(normal_scores) :]
    rank_count = int(ranks.max()) + 1
    random = np.random.default_rng(seed)
    areas = np.empty(resamples)  # (resamples,)
    for i in range(resamples):
        drawn_normal = random.choice(normal_ranks, len(normal_ranks))
        drawn_anomalous = random.choice(anomalous_ranks, len(anomalous_ranks))
        normal_counts = np.bincount(drawn_normal, minlength=rank_count)  # (ranks,)
        wins = np.cumsum(normal_counts) - normal_counts / 2  # (ranks,) normal recordings beaten by a recording of this rank
        areas[i] = wins[drawn_anomalous].mean() / len(drawn_normal)
    return areas
