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
from calibrate.embeddings import NormalPatches, StoredBlock
from calibrate.fitters.spacing import spacing
from calibrate.fitters.standard import laid_out, standardise
from calibrate.folds import FoldsOfSound
from edge.console.progress import progress
from edge.detectors.bank import Banks
from edge.judgement.heads import Mode

Float32 = NDArray[np.float32]

BankKind = Literal["per-band", "shared"]

CANDIDATES_PER_PATCH = 8  # the coreset is chosen from so many times its size
BLOCKS_AT_ONCE = 64  # compared in one search


@dataclass(frozen=True, slots=True)
class FittedBanks:
    """What `edge/detectors/comparison.py` needs for each feature, and how far held-out normal sound is from it."""

    arrays: dict[str, dict[str, NDArray[np.generic]]]  # feature -> name -> array
    deviations: list[dict[str, Float32]]  # per recording: feature -> (cell, band), out of fold; NaN where unheard


class FoldBanks:
    """The banks of one feature, fold by fold; a fold without sound is absent."""

    def __init__(self, folds: dict[int, list[Float32]], spaced: bool) -> None:
        """`folds[f]` has of each band, or of all together, the patches of fold f, shape = (n, dimension)."""
        self._folds = folds
        self._spacing = [spacing(bank) for bank in zip(*folds.values(), strict=True)] if spaced else []

    def without(self, fold: int) -> Banks:
        """All folds but one, as sound of that one meets them; the only one, if there is no other."""
        if len(self._folds) == 1:
            return Banks(next(iter(self._folds.values())), spacing=self._spacing)
        numbers = list(self._folds)
        row, others = numbers.index(fold), [other for other in numbers if other != fold]
        patches = [np.concatenate(bank) for bank in zip(*(self._folds[other] for other in others), strict=True)]
        own = np.repeat(numbers, [len(bank[0]) for bank in self._folds.values()]) == fold
        return Banks(patches, spacing=[known[row : row + 1, ~own] for known in self._spacing])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """As a bundle holds them: see `edge/detectors/comparison.py`."""
        banks = [np.concatenate(bank).astype(np.float16) for bank in zip(*self._folds.values(), strict=True)]
        arrays: dict[str, NDArray[np.generic]] = {f"bank_{band}": bank for band, bank in enumerate(banks)}
        arrays |= {f"spacing_{band}": known.astype(np.float16) for band, known in enumerate(self._spacing)}
        return arrays | {"folds": np.array([len(bank[0]) for bank in self._folds.values()])}


class BankFitter:
    """Fits the banks of some features."""

    def __init__(self, features: Sequence[str], coreset: int, banks: BankKind, seed: int, mode: Mode = "stream") -> None:
        """`coreset` is the number of patches per band."""
        self._features = features
        self._coreset = coreset
        self._banks_of = banks
        self._mode: Mode = mode
        self._rng = default_rng(seed)

    def fit(self, store: NormalPatches, folds: FoldsOfSound) -> FittedBanks:
        """Fit on the patches of normal recordings."""
        banks = self._banks(store, folds)
        distances = self._distances(store, folds, banks)
        arrays: dict[str, dict[str, NDArray[np.generic]]] = {}
        for feature in self._features:
            scale = standardise([one[feature] for one in distances], self._mode)
            arrays[feature] = banks[feature].arrays() | dict(scale)
        return FittedBanks(arrays, distances)

    def _banks(self, store: NormalPatches, folds: FoldsOfSound) -> dict[str, FoldBanks]:
        """For each feature the coreset of each fold and band, or one for all bands."""
        capacity = CANDIDATES_PER_PATCH * self._coreset // folds.count
        reservoirs = {feature: [Reservoir(capacity, self._rng) for _ in range(folds.count)] for feature in self._features}
        for index in progress(range(len(store.recordings)), label="sampling patches"):
            for block in store.blocks(index):
                fold = folds.of(index, block.first_cell)
                for feature in self._features:
                    reservoirs[feature][fold].add(block.patches[feature])
        steps = [(feature, fold) for feature in self._features for fold in range(folds.count)]
        banks: dict[str, dict[int, list[Float32]]] = {feature: {} for feature in self._features}
        for feature, fold in progress(steps, label="choosing patches"):
            rows = reservoirs[feature][fold].rows.astype(np.float32)  # (n, band, dimension)
            if len(rows):
                banks[feature][fold] = self._coresets(rows, -(-self._coreset // folds.count))
        # Clips are judged by plain distances, as published.
        return {feature: FoldBanks(own, spaced=self._mode == "stream") for feature, own in banks.items()}

    def _coresets(self, rows: Float32, size: int) -> list[Float32]:
        if self._banks_of == "shared":
            size *= rows.shape[1]
            rows = rows.reshape(-1, 1, rows.shape[2])
        return [rows[greedy_k_center(np.ascontiguousarray(rows[:, band]), size, self._rng), band] for band in range(rows.shape[1])]

    def _distances(self, store: NormalPatches, folds: FoldsOfSound, banks: dict[str, FoldBanks]) -> list[dict[str, Float32]]:
        """Per recording and feature the distance of every cell from the patches of the other folds, shape = (cell, band)."""
        others: dict[int, dict[str, Banks]] = {}  # by fold
        distances: list[dict[str, Float32]] = []
        for index in progress(range(len(store.recordings)), label="calibrating"):
            parts: dict[str, list[tuple[int, Float32]]] = {feature: [] for feature in self._features}
            for fold, group in _groups(store, folds, index):
                if fold not in others:
                    others[fold] = {feature: own.without(fold) for feature, own in banks.items()}
                for feature in self._features:
                    parted = [block.patches[feature] for block in group]
                    patches = np.concatenate(parted).astype(np.float32)
                    found = np.split(others[fold][feature].distances(patches), np.cumsum([len(part) for part in parted])[:-1])
                    parts[feature] += zip([block.first_cell for block in group], found, strict=True)
            if parts[self._features[0]]:
                distances.append({feature: laid_out(own) for feature, own in parts.items()})
        return distances


def _groups(store: NormalPatches, folds: FoldsOfSound, index: int) -> Iterator[tuple[int, list[StoredBlock]]]:
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
