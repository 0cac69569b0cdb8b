"""Fits what `edge/detectors/patchcore.py` scores, in two passes over normal recordings and in bounded memory.

Pass 1 samples candidates for the banks and thins them out to a greedy k-center coreset, fold by fold. Pass 2 measures
how far each recording is from the banks of the *other* folds: that is what normal sound, not heard before, looks like.
Out-of-fold distances give each band its mean and deviation, and what they look like then is what the heads are calibrated on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.random import default_rng  # not np.random, which is imported at its first use: that may swallow a Ctrl-C
from numpy.typing import NDArray

from calibrate.coreset import Reservoir, greedy_k_center
from calibrate.embeddings import EmbeddingStore, Recording, StoredBlock, heard_blocks
from calibrate.folds import Folds
from edge.console.progress import progress
from edge.detectors.bank import Banks
from edge.detectors.embedding import Embedder, random_projection
from edge.detectors.patchcore import FEATURES
from edge.features.any_backbone import AnyBackbone
from edge.features.backbone import BLOCK_SHAPES
from edge.features.frontend import CELL_MELS, mels_below

Float32 = NDArray[np.float32]

BankKind = Literal["per-band", "shared"]
FeatureBanks = dict[str, dict[int, list[Float32]]]  # feature -> fold -> band -> (n, dimension)

CANDIDATES_PER_PATCH = 8  # the coreset is chosen from so many times its size
BLOCKS_AT_ONCE = 64  # compared in one search
SCALE_SECONDS = 60.0  # of sound that tells how large each block's features are
# A steady machine is steady to a hundredth of a decibel for an hour; over the weeks its microphone, and the air before it, are not. In
# units of a decibel, the level's head finds no less than a fiftieth of it surprising (calibrate/head_scale.py).
LEAST_DEVIATION = {"level": 1.0}  # dB
LEAST_PART = 1e-3  # of the mean distance: the deviation of a band is at least that


@dataclass(frozen=True, slots=True)
class PatchCoreSettings:
    """What may be chosen about a PatchCore; the defaults serve every machine."""

    coreset: int = 500  # patches per band
    banks: BankKind = "per-band"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FittedPatchCore:
    """The arrays of a bundle, and how far unheard normal sound is from its banks."""

    arrays: dict[str, dict[str, NDArray[np.generic]]]
    features: dict[str, int]  # with the number of their bands
    deviations: list[dict[str, Float32]] = field(repr=False)  # per recording: feature -> (cell, band), out of fold; NaN where unheard


class PatchCoreFitter:
    """Fits one PatchCore."""

    def __init__(self, backbone: AnyBackbone, bandwidth_hz: float, settings: PatchCoreSettings) -> None:
        self._backbone = backbone
        self._bandwidth_hz = bandwidth_hz
        self._settings = settings
        self._bands = mels_below(backbone.front_end, bandwidth_hz) // CELL_MELS
        self._features = tuple(feature for feature in FEATURES if feature != "cnn14" or backbone.has_network)
        self._rng = default_rng(settings.seed)

    def fit(self, recordings: list[Recording]) -> FittedPatchCore:
        """Fit on normal recordings."""
        projection = self._projection(recordings) if self._backbone.has_network else {}
        store = EmbeddingStore(recordings, self._backbone, self._bandwidth_hz, self._features, lambda: Embedder(projection, self._bands))
        folds = Folds(recordings)
        banks = self._banks(store, folds)
        distances = self._distances(store, folds, banks)
        arrays: dict[str, dict[str, NDArray[np.generic]]] = {"projection": dict(projection)} if projection else {}
        for feature in self._features:
            patches = [np.concatenate(fold_banks).astype(np.float16) for fold_banks in zip(*banks[feature].values(), strict=True)]
            mean, deviation = _standardise([one[feature] for one in distances], LEAST_DEVIATION.get(feature, 0.0))
            arrays[feature] = {f"bank_{band}": bank for band, bank in enumerate(patches)}
            folds_of = np.array([len(fold_banks[0]) for fold_banks in banks[feature].values()])
            arrays[feature] |= {"folds": folds_of, "mean": mean, "deviation": deviation}
        return FittedPatchCore(arrays, {feature: self._bands_of(feature) for feature in self._features}, distances)

    def _bands_of(self, feature: str) -> int:
        return 1 if feature == "level" else self._bands

    def _projection(self, recordings: list[Recording]) -> dict[str, Float32]:
        """A random projection in which the three blocks weigh the same, whatever the size of their features."""
        squares = dict.fromkeys(BLOCK_SHAPES, 0.0)
        block_s = self._backbone.front_end.block_samples / self._backbone.front_end.sample_rate_hz
        per_recording = max(1, round(SCALE_SECONDS / block_s / len(recordings)))
        for recording in recordings[: round(SCALE_SECONDS / block_s)]:
            for count, heard in enumerate(heard_blocks(recording, self._backbone, self._bandwidth_hz)):
                if heard.block.first_cell < 0:
                    continue
                for name in squares:
                    squares[name] += float(np.square(getattr(heard.block.features, name)).mean())
                if count > per_recording:
                    break
        projection = random_projection(self._settings.seed, {name: channels for name, (_, _, channels) in BLOCK_SHAPES.items()})
        total = sum(squares.values())
        return {
            name: (matrix * np.sqrt(total / max(squares[name], 1e-12) / len(squares))).astype(np.float32)
            for name, matrix in projection.items()
        }

    def _banks(self, store: EmbeddingStore, folds: Folds) -> FeatureBanks:
        """For each feature and fold the coreset of each band, or one for all bands; a fold in which nothing was heard is absent."""
        capacity = CANDIDATES_PER_PATCH * self._settings.coreset // folds.count
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
                banks[feature][fold] = self._coresets(rows, -(-self._settings.coreset // folds.count))
        return banks

    def _coresets(self, rows: Float32, size: int) -> list[Float32]:
        if self._settings.banks == "shared":
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
                distances.append({feature: _laid_out(own) for feature, own in parts.items()})
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


def _laid_out(parts: list[tuple[int, Float32]]) -> Float32:
    """Rows at their cells, shape = (cell, band), NaN in between."""
    laid = np.full((max(first + len(rows) for first, rows in parts), parts[0][1].shape[1]), np.nan, np.float32)
    for first, rows in parts:
        laid[first : first + len(rows)] = rows
    return laid


def _standardise(maps: list[Float32], least: float) -> tuple[Float32, Float32]:
    """Mean and deviation of each band over all recordings, shape = (band,); the maps, (cell, band), are standardised in place."""
    heard = [values[~np.isnan(values[:, 0])] for values in maps]
    count = sum(map(len, heard))
    mean = sum(values.sum(axis=0, dtype=np.float64) for values in heard) / count
    variance = sum(np.square(values - mean).sum(axis=0) for values in heard) / count
    deviation = np.maximum(np.sqrt(variance), max(least, LEAST_PART * float(np.mean(mean)), 1e-6))
    for values in maps:
        values -= mean.astype(np.float32)
        values /= deviation.astype(np.float32)
    return mean.astype(np.float32), deviation.astype(np.float32)
