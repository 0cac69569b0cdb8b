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

import numpy as np
from numpy.typing import NDArray

from edge.detectors.neighbours import BandSearch, Neighbours, Search

Float32 = NDArray[np.float32]

TOGETHER = 64  # times that are searched at once, at the most
EASE = 0.5  # of a patch's spacing


class Banks:
    """Exact nearest neighbours, rebuilt from arrays at load."""

    def __init__(self, patches: Sequence[Float32], folds: Sequence[int] = (), spacing: Sequence[Float32] = (), features: int = 1) -> None:
        """`patches[b]`, shape = (n, dimension) float32, are the normal patches of band b; a single entry is shared by all bands.

        Of several features, which are searched together, the bands of the first come first, then as many of the next.

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
        self._search = _search(patches, features)
        self._ends = np.cumsum(folds if parts > 1 else [], dtype=np.int64)
        self._starts = self._ends - (folds if parts > 1 else [])
        eased = np.concatenate(spacing, axis=1) if spacing else np.zeros((parts, sum(counts)))
        self._eased = (np.float32(EASE) * eased).astype(np.float32)  # (fold, patch)
        if parts > 1:
            fold = np.concatenate([np.repeat(np.arange(parts), folds) for _ in counts])  # (patch,)
            self._eased[fold, np.arange(len(fold))] = -np.inf  # its own is left out

    def distances(self, *embeddings: Float32) -> Float32:
        """Distance from the normal patches, shape = (time, band), of embeddings (time, band, dimension) float32.

        The least Euclidean distance less half of the patch's spacing, among the eight nearest; the mean of it over each fold left out.
        Where there are banks of several features, each has embeddings of its own; the bands of the first come first.
        """
        starts = range(0, max(1, len(embeddings[0])), TOGETHER)
        parts = [self._distances([own[start : start + TOGETHER] for own in embeddings]) for start in starts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _distances(self, embeddings: Sequence[Float32]) -> Float32:
        found = self._search.search(embeddings)
        least = self._least(found.nearest)  # (fold, embedding)
        if len(self._ends):
            fold, unknown = np.isinf(least).nonzero()  # all of the nearest are of the fold that is left out
            if len(fold):
                outside = self._least(found.outside(unknown, self._starts[fold], self._ends[fold]))
                least[fold, unknown] = outside[fold, np.arange(len(fold))]
        means: Float32 = least.mean(axis=0, dtype=np.float32).reshape(len(embeddings[0]), -1)
        return means

    def _least(self, found: Neighbours) -> Float32:
        """The least eased distance of each embedding, shape = (fold, embedding), with each fold left out."""
        least: Float32 = (found.distances - self._eased.take(found.patches, axis=1)).min(axis=1)
        return least


def _search(patches: Sequence[Float32], features: int) -> Search:
    if len(patches) > 1:
        bands = len(patches) // features
        return BandSearch([patches[first : first + bands] for first in range(0, len(patches), bands)])
    from edge.detectors.shared_bank import SharedSearch  # faiss, which takes 13 MB

    return SharedSearch(patches[0])
