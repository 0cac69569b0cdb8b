"""Memory banks, one per mel band: how far is a patch from the nearest normal one in its own band?

Convolutions do not know where in the spectrum they are, so a tone at the wrong frequency finds a neighbour in a bank that
all bands share. Searching a patch's own band only hears such faults, and costs less.
"""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

# A search is about a few patches: handing it to threads costs more than it saves, and waiting threads keep an idle board awake.
faiss.omp_set_num_threads(1)


class Banks:
    """Exact nearest neighbours (faiss IndexFlatL2), rebuilt from arrays at load."""

    def __init__(self, patches: list[Float32]) -> None:
        """`patches[b]`, shape = (n, dimension) float32, are the normal patches of band b; a single entry is shared by all bands."""
        self._indexes = []
        for bank in patches:
            index = faiss.IndexFlatL2(bank.shape[1])
            index.add(np.ascontiguousarray(bank, np.float32))
            self._indexes.append(index)

    def distances(self, embeddings: Float32) -> Float32:
        """Euclidean distance to the nearest normal patch, shape = (time, band), of embeddings (time, band, dimension) float32."""
        squared = np.empty(embeddings.shape[:2], np.float32)  # (time, band)
        if len(self._indexes) == 1:
            flat = np.ascontiguousarray(embeddings).reshape(-1, embeddings.shape[2])
            squared[...] = self._indexes[0].search(flat, 1)[0].reshape(squared.shape)
        else:
            for band, index in enumerate(self._indexes):
                squared[:, band] = index.search(np.ascontiguousarray(embeddings[:, band]), 1)[0][:, 0]
        return np.sqrt(np.maximum(squared, 0.0), out=squared)
