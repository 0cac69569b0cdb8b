"""How much the loudness of each band varies within normal sound: the unit of `excess`, see `edge/judgement/heads.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import EmbeddingStore, Recording
from calibrate.fitters.standard import laid_out
from edge.detectors.detector import EXCESS
from edge.detectors.embedding import Embedder
from edge.features.frontend import CELL_MELS, FrontEnd, mels_below
from edge.features.logmel_backbone import LogMelBackbone

Float32 = NDArray[np.float32]

PIECE_CELLS = 250  # 10 s at 32 kHz, as long as a window
LEAST_DEVIATION = 0.5  # dB: what a steady machine varies by is less than one hears


def fit_excess(
    recordings: list[Recording], front_end: FrontEnd, bandwidth_hz: float
) -> tuple[dict[str, NDArray[np.generic]], list[Float32]]:
    """What a `Standard` needs, and the deviations of each recording in which anything was heard, shape = (cell, band), NaN where not.

    The deviation of a band is that from the median of the ten seconds around it: how recordings, loads and days differ is none of it. No
    cell is compared with other recordings, so nothing has to be held out.
    """
    bands = mels_below(front_end, bandwidth_hz) // CELL_MELS
    store = EmbeddingStore(recordings, LogMelBackbone(front_end), bandwidth_hz, (EXCESS,), lambda: Embedder({}, bands), cache_bytes=0)
    maps = []
    for index in range(len(recordings)):
        parts = [(block.first_cell, block.patches[EXCESS][..., 0].astype(np.float32)) for block in store.blocks(index)]
        if parts:
            maps.append(laid_out(parts))
    heard = [values[~np.isnan(values[:, 0])] for values in maps]
    count = sum(map(len, heard))
    mean = sum(values.sum(axis=0, dtype=np.float64) for values in heard) / count
    squares = np.zeros(len(mean))
    for values in heard:
        for first in range(0, len(values), PIECE_CELLS):
            piece = values[first : first + PIECE_CELLS].astype(np.float64)
            squares += np.square(piece - np.median(piece, axis=0)).sum(axis=0)
    deviation = np.maximum(np.sqrt(squares / count), LEAST_DEVIATION)
    for values in maps:
        values -= mean.astype(np.float32)
        values /= deviation.astype(np.float32)
    return {"mean": mean.astype(np.float32), "deviation": deviation.astype(np.float32)}, maps
