"""How loud the machine is: the feature that detectors have beside their own."""

from __future__ import annotations

from calibrate.embeddings import EmbeddingStore, Recording
from calibrate.fitters.banks import BankFitter, FittedBanks
from calibrate.folds import Folds
from edge.detectors.detector import LEVEL
from edge.detectors.embedding import Embedder
from edge.features.frontend import CELL_MELS, FrontEnd, mels_below
from edge.features.logmel_backbone import LogMelBackbone

LEVELS = 500  # kept


def fit_level(recordings: list[Recording], front_end: FrontEnd, bandwidth_hz: float, folds: Folds, seed: int) -> FittedBanks:
    """Fit the level on all recordings; no network is run."""
    bands = mels_below(front_end, bandwidth_hz) // CELL_MELS
    store = EmbeddingStore(recordings, LogMelBackbone(front_end), bandwidth_hz, (LEVEL,), lambda: Embedder({}, bands))
    return BankFitter((LEVEL,), LEVELS, "per-band", seed).fit(store, folds)
