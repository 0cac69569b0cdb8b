"""Fits what `edge/detectors/loudness.py` judges by: the levels of normal sound, and how much each band varies within ten seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import EmbeddingStore, Recording
from calibrate.fitters.banks import BankFitter
from calibrate.fitters.excess import fit_excess
from calibrate.folds import Folds
from edge.detectors.detector import EXCESS, LEVEL
from edge.detectors.embedding import Embedder
from edge.features.frontend import CELL_MELS, FrontEnd, mels_below
from edge.features.logmel_backbone import LogMelBackbone

Float32 = NDArray[np.float32]

LEVELS = 500  # kept


@dataclass(frozen=True, slots=True)
class FittedLoudness:
    """What a bundle holds of the loudness, and how far unheard normal sound is from it."""

    arrays: dict[str, dict[str, NDArray[np.generic]]]  # feature -> name -> array
    features: dict[str, int]  # with the number of their bands
    heard: list[int]  # the recordings in which anything was
    deviations: list[dict[str, Float32]]  # of each of these: feature -> (cell, band), NaN where nothing was heard

    def beside(self, feature: str, maps: list[Float32]) -> list[dict[str, Float32]]:
        """The deviations of a detector's own feature, of the same recordings, and these."""
        return [{feature: own, **loudness} for own, loudness in zip(maps, self.deviations, strict=True)]


def fit_loudness(recordings: list[Recording], front_end: FrontEnd, bandwidth_hz: float, folds: Folds, seed: int) -> FittedLoudness:
    """Fit on all recordings: the level fold by fold, the excess as a whole. No network is run, and log-mel is computed once."""
    store = loudness_store(recordings, front_end, bandwidth_hz)
    level = BankFitter((LEVEL,), LEVELS, "per-band", seed).fit(store, folds)
    excess, maps = fit_excess(store, front_end.cell_s)
    arrays: dict[str, dict[str, NDArray[np.generic]]] = {EXCESS: dict(excess), LEVEL: level.arrays[LEVEL]}
    deviations = [{EXCESS: own, LEVEL: one[LEVEL]} for own, one in zip(maps.values(), level.deviations, strict=True)]
    return FittedLoudness(arrays, {EXCESS: len(excess["mean"]), LEVEL: 1}, list(maps), deviations)


def loudness_store(recordings: list[Recording], front_end: FrontEnd, bandwidth_hz: float, cache_bytes: int | None = None) -> EmbeddingStore:
    """The loudness of all recordings; `cache_bytes` as an `EmbeddingStore` takes them."""
    bands = mels_below(front_end, bandwidth_hz) // CELL_MELS
    return EmbeddingStore(
        recordings, LogMelBackbone(front_end), bandwidth_hz, (EXCESS, LEVEL), lambda: Embedder({}, bands), cache_bytes=cache_bytes
    )
