"""Memory banks from normal recordings, in bounded memory, and how far each recording is from the banks of the others.

Pass 1 samples candidates for the banks and thins them out to a greedy k-center coreset, fold by fold. Pass 2 measures
how far each recording is from the banks of the *other* folds: that is what normal sound, not heard before, looks like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import default_rng  # not np.random, which is imported at its first use: that may swallow a Ctrl-C
from numpy.typing import NDArray

from calibrate.coreset import Reservoir, greedy_k_center
from calibrate.embeddings import EmbeddingStore, StoredBlock
from calibrate.fitters.standard import laid_out, standardise
from calibrate.folds import Folds
from edge.console.progress import progress
from edge.detectors.bank import Banks
from edge.detectors.detector import LEVEL
from edge.judgement.heads import Mode

Float32 = NDArray[np.float32]

BankKind = Literal["per-band", "shared"]
FeatureBanks = dict[str, dict[int, list[Float32]]]  # feature -> fold -> band -> (n, dimension)

CANDIDATES_PER_PATCH = 8  # the coreset is chosen from so many times its size
BLOCKS_AT_ONCE = 64  # compared in one search
# A steady machine is steady to a hundredth of a decibel for an hour; over the weeks its microphone, and the air before it, are not. In
# units of a decibel, the level's head finds no less than a fiftieth of it surprising (calibrate/head_scale.py).
LEAST_DEVIATION = {LEVEL: 1.0}  # dB


@dataclass(frozen=True, slots=True)
class FittedBanks:
    """What `edge/detectors/comparison.py` judges each feature by, and how far unheard normal sound is from it."""

    arrays: dict[str, dict[str, NDArray[np.generic]]]  # feature -> name -> array
    deviations: list[dict[str, Float32]]  # per recording: feature -> (cell, band), out of fold; NaN where unheard


class BankFitter:
    """Fits the banks of some features."""

    def __init__(self, features: Sequence[str], coreset: int, banks: BankKind, seed: int, mode: Mode = "stream") -> None:
        """`coreset` is the number of patches per band."""
        self._features = features
        self._coreset = coreset
        self._banks_of = banks
        self._mode: Mode = mode
        self._rng = default_rng(seed)

    def fit(self, store: EmbeddingStore, folds: Folds) -> FittedBanks:
        """Fit on the patches of normal recordings."""
        banks = self._banks(store, folds)
        distances = self._distances(store, folds, banks)
        arrays: dict[str, dict[str, NDArray[np.generic]]] = {}
        for feature in self._features:
            patches = [np.concatenate(fold_banks).astype(np.float16) for fold_banks in zip(*banks[feature].values(), strict=True)]
            arrays[feature] = {f"bank_{band}": bank for band, bank in enumerate(patches)}
            arrays[feature] |= {"folds": np.array([len(fold_banks[0]) for fold_banks in banks[feature].values()])}
            arrays[feature] |= standardise([one[feature] for one in distances], self._mode, LEAST_DEVIATION.get(feature, 0.0))
        return FittedBanks(arrays, distances)

    def _banks(self, store: EmbeddingStore, folds: Folds) -> FeatureBanks:
        """For each feature and fold the coreset of each band, or one for all bands; a fold in which nothing was heard is absent."""
        capacity = CANDIDATES_PER_PATCH * self._coreset // folds.count
        reservoirs = {feature: [Reservoir(capacity, self._rng) for _ in range(folds.count)] for feature in self._features}
        for index in progress(range(len(store.recordings)), label="listening"):
            for block in store.blocks(index):
                fold = folds.of(index, block.first_cell)
                for feature, patches in block.patches.items():
                    reservoirs[feature][fold].add(patches)
        steps = [(feature, fold) for feature in self._features for fold in range(folds.count)]
        banks: FeatureBanks = {feature: {} for feature in self._features}
        for feature, fold in progress(steps, label="choosing patches"):
            rows = reservoirs[feature][fold].rows.astype(np.float32)  # (n, band, dimension)
            if len(rows):
                banks[feature][fold] = self._coresets(rows, -(-self._coreset // folds.count))
        return banks

    def _coresets(self, rows: Float32, size: int) -> list[Float32]:
        if self._banks_of == "shared":
            size *= rows.shape[1]
            rows = rows.reshape(-1, 1, rows.shape[2])
        return [rows[greedy_k_center(np.ascontiguousarray(rows[:, band]), size, self._rng), band] for band in range(rows.shape[1])]

    def _distances(self, store: EmbeddingStore, folds: Folds, banks: FeatureBanks) -> list[dict[str, Float32]]:
        """Per recording and feature the distance of every cell to the nearest patch of another fold, shape = (cell, band)."""
        indexes = {feature: {fold: Banks(patches) for fold, patches in banks[feature].items()} for feature in self._features}
        distances: list[dict[str, Float32]] = []
        for index in progress(range(len(store.recordings)), label="calibrating"):
            parts: dict[str, list[tuple[int, Float32]]] = {feature: [] for feature in self._features}
            for fold, group in _groups(store, folds, index):
                for feature in self._features:
                    patches = np.concatenate([block.patches[feature] for block in group]).astype(np.float32)
                    others = [bank for other, bank in indexes[feature].items() if other != fold or len(indexes[feature]) == 1]
                    nearest = np.min([bank.distances(patches) for bank in others], axis=0)  # (time, band)
                    ends = np.cumsum([len(block.patches[feature]) for block in group])[:-1]
                    parts[feature] += zip([block.first_cell for block in group], np.split(nearest, ends), strict=True)
            if parts[self._features[0]]:
                distances.append({feature: laid_out(own) for feature, own in parts.items()})
        return distances


def _groups(store: EmbeddingStore, folds: Folds, index: int) -> Iterator[tuple[int, list[StoredBlock]]]:
    """Runs of blocks of one fold, short enough to compare at once."""
    group: list[StoredBlock] = []
    current = -1
    for block in store.blocks(index):
        fold = folds.of(index, block.first_cell)
        if group and (fold != current or len(group) == BLOCKS_AT_ONCE):
            yield current, group
            group = []
        current = fold
        group.append(block)
    if group:
        yield current, group
