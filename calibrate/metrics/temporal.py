"""When: how well an anomaly map shows the moments at which a known sound was added.

From Vision to Sound (Barusco et al., arXiv 2502.18328), section 3.2.3, and DESIGN section 9; on the map's grid a moment is a row of cells.

truth      Within the time in which the sound was added, the moments whose log energy, summed over the bands, exceeds its median there.
score      Of a moment: the mean of the five largest map values in it.
`roc_auc`  Over the moments of all maps together, as at the spectrogram level.
`f1`       The highest that any one threshold gives: the paper does not name its threshold.

Moments that were not heard (NaN) do not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibrate.metrics import sample
from edge.features.frontend import FLOOR_POWER

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

LARGEST = 5


def temporal_truth(energy: Float64, added: slice) -> Mask:
    """Mark the louder half of the moments in which the sound was added, shape (time,); nothing when it holds no moment.

    `energy` is `cell_energy`'s, (time, band). Silence counts as the front end's floor: its logarithm must not outweigh all other bands.
    """
    truth = np.zeros(len(energy), np.bool_)
    log_energy = np.log(np.maximum(energy[added], FLOOR_POWER)).sum(axis=1)  # (time,)
    if log_energy.size:
        truth[added] = log_energy > np.median(log_energy)
    return truth


def moment_scores(anomaly_map: Float32) -> Float64:
    """Return the mean of the five largest values of every moment, shape (time,); of all values where a map has fewer bands."""
    largest = np.sort(anomaly_map.astype(np.float64), axis=1)[:, -LARGEST:]
    scores: Float64 = largest.mean(axis=1)
    return scores


def split_moments(anomaly_map: Float32, truth: Mask) -> tuple[Float64, Float64]:
    """Return the scores of the moments at which nothing was added and at which something was, each shape (moments,)."""
    scores = moment_scores(anomaly_map)
    heard = ~np.isnan(scores)
    return scores[heard & ~truth], scores[heard & truth]


def temporal_roc_auc(maps: Sequence[Float32], truths: Sequence[Mask]) -> float:
    """Return the area under the ROC curve of the moments of all maps, shapes (time, band); `truths` are (time,).

    Raises
    ------
    UserError
        When no moment is true, or every one.
    """
    return sample.roc_auc(*_pooled(maps, truths))


def temporal_f1(maps: Sequence[Float32], truths: Sequence[Mask]) -> float:
    """Return the best F1 score of the moments of all maps, shapes (time, band); `truths` are (time,). Raises as `temporal_roc_auc` does."""
    return sample.best_f1(*_pooled(maps, truths))


def _pooled(maps: Sequence[Float32], truths: Sequence[Mask]) -> tuple[Float64, Float64]:
    normal, anomalous = zip(*map(split_moments, maps, truths), strict=True)
    return np.concatenate(normal), np.concatenate(anomalous)
