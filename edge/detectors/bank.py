"""Memory banks, one per mel band: how far is a patch from the normal ones in its own band?

Convolutions do not know where in the spectrum they are, so a tone at the wrong frequency finds a neighbour in a bank that
all bands share. Searching a patch's own band only hears such faults, and costs less.

Spacing  Normal patches lie close together where a machine always sounds the same, and far apart where it never does so twice; as far from
         the one as from the other is not as strange. So of the distance to a normal patch half of that patch's spacing is taken off: its
         own distance from other normal ones. (In the manner of the local density normalisation of Wilkinghoff et al. 2025, which takes off
         all of it, or divides by it.) A distance may come out below 0.
Folds    A bank is put together from folds of the recordings. Normal sound that calibration held out met the patches of all folds but its
         own, and that is what distances are measured against (calibrate/fitters/banks.py); sound that is heard later meets all of them.
         One fold more makes every distance a little smaller, which is much for a mean over a whole window: thresholds would be deaf. So
         the distance is the mean over what it would be with each fold left out, as it was for the sound that was held out.
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

NEAR = 8  # neighbours, among which the least distance is looked for
EASE = 0.5  # of a patch's spacing


class Banks:
    """Exact nearest neighbours (faiss IndexFlatL2), rebuilt from arrays at load."""

    def __init__(self, patches: Sequence[Float32], folds: Sequence[int] = (), spacing: Sequence[Float32] = ()) -> None:
        """`patches[b]`, shape = (n, dimension) float32, are the normal patches of band b; a single entry is shared by all bands.

        Their rows are `folds[0]` of the first fold, `folds[1]` of the second, and so on; without folds they are compared as a whole.
        `spacing[b]`, shape = (fold, n), has the spacing of each patch while each fold is left out, one row without folds; none is 0.
        ValueError unless all of it belongs together.
        """
        counts = [len(bank) for bank in patches]
        for count in counts:
            if len(folds) and not (min(folds) > 0 and sum(folds) == count):
                raise ValueError(f"a bank of {count} patches is not made up of folds of {', '.join(map(str, folds))}")
        parts = len(folds) if len(folds) > 1 else 1
        if spacing and [rows.shape for rows in spacing] != [(parts, count) for count in counts]:
            raise ValueError(f"banks of {', '.join(map(str, counts))} patches have a spacing of {spacing[0].shape}")
        self._indexes = []
        for bank in patches:
            index = faiss.IndexFlatL2(bank.shape[1])
            index.add(np.ascontiguousarray(bank, np.float32))
            self._indexes.append(index)
        self._ends = np.cumsum(folds if parts > 1 else [])
        self._first = np.cumsum([0, *counts[:-1]])  # (bank,) where its patches begin in the arrays of all
        self._fold = np.concatenate([np.searchsorted(self._ends, np.arange(count), side="right") for count in counts])  # (patch,)
        eased = np.concatenate(spacing, axis=1) if spacing else np.zeros((parts, sum(counts)))
        self._eased = (np.float32(EASE) * eased.T).astype(np.float32)  # (patch, fold)

    def distances(self, embeddings: Float32) -> Float32:
        """Distance from the normal patches, shape = (time, band), of embeddings (time, band, dimension) float32.

        The least Euclidean distance less half of the patch's spacing, among the eight nearest; the mean of it over each fold left out.
        """
        time, bands, dimension = embeddings.shape
        near = min(NEAR, *(index.ntotal for index in self._indexes))
        squared = np.empty((time, bands, near), np.float32)
        patches = np.empty((time, bands, near), np.int64)
        if len(self._indexes) == 1:
            rows = np.ascontiguousarray(embeddings).reshape(-1, dimension)
            found = self._indexes[0].search(rows, near)
            squared[...], patches[...] = (values.reshape(time, bands, near) for values in found)
        else:
            for band, index in enumerate(self._indexes):
                squared[:, band], patches[:, band] = index.search(np.ascontiguousarray(embeddings[:, band]), near)
            patches += self._first[:, None]
        eased = _root(squared)[..., None] - self._eased[patches]  # (time, band, neighbour, fold)
        if len(self._ends):
            eased[self._fold[patches][..., None] == np.arange(len(self._ends))] = np.inf
        least = eased.min(axis=2)  # (time, band, fold)
        for band, fold in np.argwhere(np.isinf(least).any(axis=0)):
            unknown = np.isinf(least[:, band, fold])
            least[unknown, band, fold] = self._further(np.ascontiguousarray(embeddings[unknown, band]), int(band), int(fold))
        means: Float32 = least.mean(axis=2, dtype=np.float32)
        return means

    def _further(self, rows: Float32, band: int, fold: int) -> Float32:
        """The least distance of rows, shape = (n, dimension), all of whose neighbours are of the fold that is left out."""
        bank = band if len(self._indexes) > 1 else 0
        first, last = (int(self._ends[fold - 1]) if fold else 0), int(self._ends[fold])
        index = self._indexes[bank]
        others = faiss.SearchParameters(sel=faiss.IDSelectorNot(faiss.IDSelectorRange(first, last)))  # type: ignore[call-arg]  # stubs lack it
        squared, patches = index.search(rows, min(NEAR, index.ntotal - (last - first)), params=others)
        least: Float32 = (_root(squared) - self._eased[self._first[bank] + patches, fold]).min(axis=1)
        return least


def _root(squared: Float32) -> Float32:
    return np.sqrt(np.maximum(squared, np.float32(0.0)))
