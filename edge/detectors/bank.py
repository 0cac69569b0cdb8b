"""Memory banks, one per mel band: how far is a patch from the nearest normal one in its own band?

Convolutions do not know where in the spectrum they are, so a tone at the wrong frequency finds a neighbour in a bank that
all bands share. Searching a patch's own band only hears such faults, and costs less.

A bank is put together from folds of the recordings. Normal sound that calibration held out met the patches of all folds but its own, and
that is what distances are measured against (calibrate/fitters/patchcore.py); sound that is heard later meets all of them. One fold more
makes every distance a little smaller, which is much for a mean over a whole window: thresholds would be deaf. So the distance is the mean
over what it would be with each fold left out, as it was for the sound that was held out.
"""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

# A search is about a few patches: handing it to threads costs more than it saves, and waiting threads keep an idle board awake.
faiss.omp_set_num_threads(1)

NEAR = 8  # neighbours among which the nearest of another fold is looked for first


class Banks:
    """Exact nearest neighbours (faiss IndexFlatL2), rebuilt from arrays at load."""

    def __init__(self, patches: Sequence[Float32], folds: Sequence[int] = ()) -> None:
        """`patches[b]`, shape = (n, dimension) float32, are the normal patches of band b; a single entry is shared by all bands.

        Their rows are `folds[0]` of the first fold, `folds[1]` of the second, and so on; without folds they are compared as a whole.
        ValueError unless the folds make up every bank.
        """
        self._ends = np.cumsum(folds)
        self._indexes = []
        for bank in patches:
            if len(folds) and not (min(folds) > 0 and self._ends[-1] == len(bank)):
                raise ValueError(f"a bank of {len(bank)} patches is not made up of folds of {', '.join(map(str, folds))}")
            index = faiss.IndexFlatL2(bank.shape[1])
            index.add(np.ascontiguousarray(bank, np.float32))
            self._indexes.append(index)

    def distances(self, embeddings: Float32) -> Float32:
        """Euclidean distance to the nearest normal patch, shape = (time, band), of embeddings (time, band, dimension) float32.

        With folds, the mean over that to the nearest patch of all folds but one.
        """
        distances = np.empty(embeddings.shape[:2], np.float32)  # (time, band)
        if len(self._indexes) == 1:
            flat = np.ascontiguousarray(embeddings).reshape(-1, embeddings.shape[2])
            distances[...] = self._nearest(self._indexes[0], flat).reshape(distances.shape)
        else:
            for band, index in enumerate(self._indexes):
                distances[:, band] = self._nearest(index, np.ascontiguousarray(embeddings[:, band]))
        return distances

    def _nearest(self, index: faiss.IndexFlatL2, rows: Float32) -> Float32:
        """The distance of each row, shape = (n,), of (n, dimension)."""
        if len(self._ends) < 2:
            return _root(index.search(rows, 1)[0][:, 0])
        squared, patches = index.search(rows, min(NEAR, index.ntotal))
        fold = np.searchsorted(self._ends, patches, side="right")  # (n, neighbour)
        elsewhere = fold != fold[:, :1]
        second = squared[np.arange(len(rows)), elsewhere.argmax(axis=1)]
        self._look_further(index, rows, fold[:, 0], np.flatnonzero(~elsewhere.any(axis=1)), second)
        # Only the fold that holds the nearest patch is missed when it is left out: then the nearest of another fold is met.
        left_out = np.float32(1.0 / len(self._ends))
        return (1 - left_out) * _root(squared[:, 0]) + left_out * _root(second)

    def _look_further(self, index: faiss.IndexFlatL2, rows: Float32, fold: Int64, unknown: Int64, second: Float32) -> None:
        """Put the squared distance to the nearest patch of another fold into `second`, for rows all of whose neighbours share a fold."""
        for own in np.unique(fold[unknown]):
            of_own = unknown[fold[unknown] == own]
            inside = faiss.IDSelectorRange(int(self._ends[own - 1]) if own else 0, int(self._ends[own]))
            others = faiss.SearchParameters(sel=faiss.IDSelectorNot(inside))  # type: ignore[call-arg]  # its stubs lack it
            second[of_own] = index.search(rows[of_own], 1, params=others)[0][:, 0]


def _root(squared: Float32) -> Float32:
    return np.sqrt(np.maximum(squared, np.float32(0.0)))
