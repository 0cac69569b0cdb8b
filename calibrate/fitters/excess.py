"""How much the loudness of each mel varies within normal sound: the unit of `excess`, see `edge/detectors/loudness.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.embedding_store import EmbeddingStore
from edge.detectors.detector import EXCESS
from edge.detectors.loudness import Excess

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
PIECE_S = 10.0  # as long as a window
LEAST_DEVIATION = 0.5  # dB: what a steady machine varies by is less than one hears
LEAST_UNIT = 0.1
AT_ONCE = 1024  # cells


def fit_excess(store: EmbeddingStore, cell_s: float) -> tuple[dict[str, Float32], dict[int, Float32]]:
    """What an `Excess` needs, and the excess of each recording that contains sound, shape = (cell, band), NaN where it does not.

    What varies is the difference from the median of the ten seconds around: how recordings, loads and days differ is none of it. No cell is
    compared with other recordings, so nothing has to be held out.
    """
    fitted = excess_of(_Pieces(store, round(PIECE_S / cell_s)))
    excess = Excess(fitted, len(fitted["mean"]))
    return fitted, {index: one.laid_out(excess) for index, one in _all_heard(store)}


def excess_of(pieces: Iterable[NDArray[np.float16]]) -> dict[str, Float32]:
    """What an `Excess` needs, of the loudness of mels within ten seconds each, shape = (cell, band, 4) dB; the order of cells is free.

    `pieces` are gone through three times.
    """
    mean = sum(piece.sum(axis=0, dtype=np.float64) for piece in pieces) / sum(map(len, pieces))
    fitted = {
        "mean": mean.astype(np.float32),
        "deviation": np.maximum(_spread(pieces, lambda piece: piece), LEAST_DEVIATION).astype(np.float32),
        "unit": np.ones(len(mean), np.float32),
    }
    fitted["unit"] = np.maximum(_spread(pieces, Excess(fitted, len(mean)).of), LEAST_UNIT).astype(np.float32)
    return fitted


@dataclass(frozen=True, slots=True)
class _Heard:
    """The loudness of what was heard of a recording."""

    cells: NDArray[np.int64]  # (time,) of the recording
    mels_db: NDArray[np.float16]  # (time, band, 4)

    def laid_out(self, excess: Excess) -> Float32:
        laid = np.full((int(self.cells[-1]) + 1, self.mels_db.shape[1]), np.nan, np.float32)
        for first in range(0, len(self.cells), AT_ONCE):
            laid[self.cells[first : first + AT_ONCE]] = excess.of(self.mels_db[first : first + AT_ONCE].astype(np.float32))
        return laid


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The loudness of all recordings in pieces; each time anew from the store, for hours of it are much to hold."""

    store: EmbeddingStore
    cells: int

    def __iter__(self) -> Iterator[NDArray[np.float16]]:
        for _, one in _all_heard(self.store):
            for first in range(0, len(one.cells), self.cells):
                yield one.mels_db[first : first + self.cells]


def _all_heard(store: EmbeddingStore) -> Iterator[tuple[int, _Heard]]:
    for index in range(len(store.recordings)):
        if (heard := _heard(store, index)) is not None:
            yield index, heard


def _heard(store: EmbeddingStore, index: int) -> _Heard | None:
    blocks = [(block.first_cell, block.patches[EXCESS]) for block in store.blocks(index)]
    if not blocks:
        return None
    cells = [first_cell + np.arange(len(mels_db)) for first_cell, mels_db in blocks]
    return _Heard(np.concatenate(cells), np.concatenate([mels_db for _, mels_db in blocks]))


def _spread(pieces: Iterable[NDArray[np.float16]], measured: Callable[[Float32], Float32]) -> Float64:
    """The standard deviation from the median of each piece."""
    squares, count = 0.0, 0
    for piece in pieces:
        values = measured(piece.astype(np.float32)).astype(np.float64)
        squares = squares + np.square(values - np.median(values, axis=0)).sum(axis=0)
        count += len(values)
    spread: Float64 = np.sqrt(squares / count)
    return spread
