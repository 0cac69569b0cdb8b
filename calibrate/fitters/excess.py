"""How much the loudness of each mel varies within normal sound: the unit of `excess`, see `edge/detectors/loudness.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import EmbeddingStore
from calibrate.fitters.standard import laid_out
from edge.detectors.detector import EXCESS
from edge.detectors.loudness import Excess

Float32 = NDArray[np.float32]

PIECE_S = 10.0  # as long as a window
LEAST_DEVIATION = 0.5  # dB: what a steady machine varies by is less than one hears


def fit_excess(store: EmbeddingStore, cell_s: float) -> tuple[dict[str, Float32], dict[int, Float32]]:
    """What an `Excess` needs, and by recording that of those in which anything was heard, shape = (cell, band), NaN where not.

    The deviation of a mel is that from the median of the ten seconds around it: how recordings, loads and days differ is none of it. No
    cell is compared with other recordings, so nothing has to be held out.
    """
    maps: dict[int, Float32] = {}
    for index in range(len(store.recordings)):
        parts = [(block.first_cell, block.patches[EXCESS].astype(np.float32)) for block in store.blocks(index)]
        if parts:
            maps[index] = laid_out(parts)
    heard = [values[~np.isnan(values[:, 0, 0])] for values in maps.values()]
    count = sum(map(len, heard))
    mean = sum(values.sum(axis=0, dtype=np.float64) for values in heard) / count
    squares = np.zeros(mean.shape)  # (band, mel)
    piece_cells = round(PIECE_S / cell_s)
    for values in heard:
        for first in range(0, len(values), piece_cells):
            piece = values[first : first + piece_cells].astype(np.float64)
            squares += np.square(piece - np.median(piece, axis=0)).sum(axis=0)
    deviation = np.maximum(np.sqrt(squares / count), LEAST_DEVIATION)
    fitted = {"mean": mean.astype(np.float32), "deviation": deviation.astype(np.float32)}
    excess = Excess(fitted, len(mean))
    return fitted, {index: excess.of(values) for index, values in maps.items()}
