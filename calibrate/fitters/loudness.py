"""Fits the scale of `edge/detectors/loudness.py`: how much each band varies within ten seconds of normal sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import EmbeddingStore, Recording
from calibrate.fitters.excess import fit_excess
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

    def beside(self, feature: str, maps: list[Float32]) -> list[dict[str, Float32]]:
        """The deviations of a detector's own feature, of the same recordings, and these."""
        return [{feature: own, **loudness} for own, loudness in zip(maps, self.deviations, strict=True)]


def fit_loudness(recordings: list[Recording], front_end: FrontEnd, bandwidth_hz: float) -> FittedLoudness:
    """Fit on all recordings. No network is run, and log-mel is computed once."""
    excess, maps = fit_excess(loudness_store(recordings, front_end, bandwidth_hz), front_end.cell_s)
    return FittedLoudness({EXCESS: dict(excess)}, {EXCESS: len(excess["mean"])}, list(maps), [{EXCESS: own} for own in maps.values()])


def loudness_store(recordings: list[Recording], front_end: FrontEnd, bandwidth_hz: float) -> EmbeddingStore:
    """The loudness of all recordings, of which nothing is kept."""
    bands = mels_below(front_end, bandwidth_hz) // CELL_MELS
    return EmbeddingStore(recordings, LogMelBackbone(front_end), bandwidth_hz, (EXCESS,), lambda: Embedder({}, bands), cache_bytes=0)
