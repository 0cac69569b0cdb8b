"""How close together normal patches lie: `edge/detectors/bank.py` subtracts this from distances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.detectors.quiet_faiss import faiss

Float32 = NDArray[np.float32]

NEIGHBOURS = 4


def spacing(folds: Sequence[Float32]) -> Float32:
    """How far each patch of a bank is from the four nearest of other folds, their mean, while each fold is left out, shape = (fold, n).

    `folds` are the bank's, each shape = (n, dimension) float32. Patches of the same fold are of the same moments and no measure. With two
    folds the one that is left out counts, for there is no other; a single fold has no spacing: 0.
    """
    patches = np.ascontiguousarray(np.concatenate(folds), np.float32)
    own = np.repeat(np.arange(len(folds)), [len(fold) for fold in folds])  # (n,)
    nearest = np.full((len(patches), len(folds), NEIGHBOURS), np.inf, np.float32)  # (n, fold, neighbour)
    for number, fold in enumerate(folds):
        index = faiss.IndexFlatL2(fold.shape[1])
        index.add(np.ascontiguousarray(fold, np.float32))
        near = min(NEIGHBOURS, len(fold))
        nearest[:, number, :near] = np.sqrt(np.maximum(index.search(patches, near)[0], 0.0))
    nearest[np.arange(len(patches)), own] = np.inf
    spacings = []
    for left_out in range(len(folds)):
        others = np.delete(nearest, left_out, axis=1) if len(folds) > 2 else nearest
        least = np.sort(others.reshape(len(patches), -1), axis=1)[:, :NEIGHBOURS]
        there = np.isfinite(least)
        spacings.append(np.where(there, least, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1))
    return np.array(spacings, np.float32)
