"""Fits the scale of `edge/detectors/loudness.py`: how much each band varies within ten seconds of normal sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from calibrate.block_averages import BlockAverages
from calibrate.embedding_store import EmbeddingStore
from calibrate.embeddings import Recording
from calibrate.fitters.excess import fit_excess
from calibrate.workers_here import WorkersHere
from edge.detectors.detector import EXCESS
from edge.detectors.embedding import Embedder
from edge.features.frontend import CELL_MELS, FrontEnd, mels_below
from edge.features.logmel_backbone import LogMelBackbone

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FittedLoudness:
    """What a bundle holds of the loudness, and how far normal sound is from it."""

    arrays: dict[str, dict[str, NDArray[np.generic]]]  # feature -> name -> array
    features: dict[str, int]  # with the number of their bands
    heard: list[int]  # the recordings in which anything was
    deviations: list[dict[str, Float32]]  # of each of these: feature -> (cell, band), NaN where nothing was heard
    averages: dict[int, BlockAverages]  # of the same recordings, by index

    def beside(self, feature: str, maps: list[Float32]) -> list[dict[str, Float32]]:
        """The deviations of a detector's own feature, of the same recordings, and these."""
        return [{feature: own, **loudness} for own, loudness in zip(maps, self.deviations, strict=True)]


def fit_loudness(store: EmbeddingStore, cell_s: float) -> FittedLoudness:
    """Fit on all recordings of a store, which has the feature `excess`."""
    averages = store.averages()
    kept = store if store.is_kept else loudness_store(store.recordings, store.front_end, store.bandwidth_hz)
    excess, maps = fit_excess(kept, cell_s)
    deviations = [{EXCESS: own} for own in maps.values()]
    return FittedLoudness({EXCESS: dict(excess)}, {EXCESS: len(excess["mean"])}, list(maps), deviations, averages)


def loudness_store(
    recordings: list[Recording], front_end: FrontEnd, bandwidth_hz: float, workers: WorkersHere | None = None
) -> EmbeddingStore:
    """The loudness of all recordings. No network is run."""
    bands = mels_below(front_end, bandwidth_hz) // CELL_MELS
    return EmbeddingStore(recordings, LogMelBackbone(front_end), bandwidth_hz, (EXCESS,), partial(Embedder, {}, bands), workers=workers)
