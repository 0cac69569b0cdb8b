"""Fits what `edge/detectors/patchcore.py` scores, in two passes over normal recordings and in bounded memory.

Pass 1 samples candidates for the banks and thins them out to a greedy k-center coreset, fold by fold. Pass 2 measures
how far each recording is from the banks of the *other* folds: that is what normal sound, not heard before, looks like.
Out-of-fold distances calibrate each head and band, and their combination gives the tail that the threshold is read off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibrate.coreset import Reservoir, greedy_k_center
from calibrate.embeddings import EmbeddingStore, Recording, StoredInput, heard_blocks
from calibrate.folds import Folds
from calibrate.head_scale import HeadScale, fit_head_scale
from edge.console.progress import progress
from edge.detectors.bank import Banks
from edge.detectors.embedding import Embedder, random_projection
from edge.detectors.patchcore import HEADS
from edge.features.backbone import BLOCK_SHAPES, Backbone
from edge.features.frontend import CELL_MELS, mels_below

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

BankKind = Literal["per-band", "shared"]
HeadBanks = dict[str, dict[int, list[Float32]]]  # head -> fold -> band -> (n, dimension)

CANDIDATES_PER_PATCH = 8  # the coreset is chosen from so many times its size
BLOCKS_AT_ONCE = 64  # compared in one search
SCALE_SECONDS = 60.0  # of sound that tells how large each block's features are
# A steady machine is steady to a hundredth of a decibel for an hour; over the weeks its microphone, and the air before it, are not.
LEAST_DISTANCE = {"level": 0.1}  # dB per unit of surprise


@dataclass(frozen=True, slots=True)
class PatchCoreSettings:
    """What may be chosen about a PatchCore; the defaults serve every machine."""

    coreset: int = 500  # patches per band
    texture_coreset: int = 200
    banks: BankKind = "per-band"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FittedPatchCore:
    """The arrays of a bundle, and the surprise of unheard normal sound that its threshold is read off."""

    arrays: dict[str, dict[str, NDArray[np.generic]]]
    surprise: list[Float64] = field(repr=False)  # per recording: (block,) out-of-fold surprise, largest over the heads


class PatchCoreFitter:
    """Fits one PatchCore."""

    def __init__(self, backbone: Backbone, bandwidth_hz: float, settings: PatchCoreSettings) -> None:
        self._backbone = backbone
        self._bandwidth_hz = bandwidth_hz
        self._settings = settings
        self._bands = mels_below(backbone.front_end, bandwidth_hz) // CELL_MELS
        self._rng = np.random.default_rng(settings.seed)

    def fit(self, recordings: list[Recording]) -> FittedPatchCore:
        """Fit on normal recordings."""
        projection = self._projection(recordings)
        store = EmbeddingStore(recordings, self._backbone, self._bandwidth_hz, lambda: Embedder(projection, self._bands))
        folds = Folds(recordings)
        banks = self._banks(store, folds)
        scales, surprise = self._calibrate(store, folds, banks)
        arrays: dict[str, dict[str, NDArray[np.generic]]] = {"projection": dict(projection)}
        for head in HEADS:
            patches = [np.concatenate(fold_banks).astype(np.float16) for fold_banks in zip(*banks[head].values(), strict=True)]
            arrays[head] = {f"bank_{band}": bank for band, bank in enumerate(patches)}
            arrays[head] |= {"offset": scales[head].offset, "gain": scales[head].gain}
        return FittedPatchCore(arrays, surprise)

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

    def _banks(self, store: EmbeddingStore, folds: Folds) -> HeadBanks:
        """For each head and fold the coreset of each band, or one for all bands.

        A fold in which a head never spoke is absent, as the start of a recording is for textures.
        """
        reservoirs = {
            head: [Reservoir(CANDIDATES_PER_PATCH * self._size(head) // folds.count, self._rng) for _ in range(folds.count)]
            for head in HEADS
        }
        for index in progress(range(len(store.recordings)), label="listening"):
            for block in store.blocks(index):
                fold = folds.of(index, block[0].first_cell)
                for compared in block:
                    reservoirs[compared.head][fold].add(compared.values)
        steps = [(head, fold) for head in HEADS for fold in range(folds.count)]
        banks: HeadBanks = {head: {} for head in HEADS}
        for head, fold in progress(steps, label="choosing patches"):
            rows = reservoirs[head][fold].rows.astype(np.float32)  # (n, band, dimension)
            if len(rows):
                banks[head][fold] = self._coresets(rows, -(-self._size(head) // folds.count))
        return banks

    def _size(self, head: str) -> int:
        return self._settings.coreset if head.endswith("_patch") else self._settings.texture_coreset

    def _coresets(self, rows: Float32, size: int) -> list[Float32]:
        if self._settings.banks == "shared":
            rows = rows.reshape(-1, 1, rows.shape[2])
            size *= self._bands
        return [rows[greedy_k_center(np.ascontiguousarray(rows[:, band]), size, self._rng), band] for band in range(rows.shape[1])]

    def _calibrate(self, store: EmbeddingStore, folds: Folds, banks: HeadBanks) -> tuple[dict[str, HeadScale], list[Float64]]:
        """Out-of-fold distances of everything, the scale of each head, and the combined surprise per recording and block."""
        indexes = {head: {fold: Banks(patches) for fold, patches in banks[head].items()} for head in HEADS}
        distances: dict[str, list[Float32]] = {head: [] for head in HEADS}  # (rows, band)
        blocks: dict[str, list[NDArray[np.int64]]] = {head: [] for head in HEADS}  # (rows,) which block each row is of
        ends = []
        count = 0
        for index in progress(range(len(store.recordings)), label="calibrating"):
            for fold, group in _groups(store, folds, index):
                for head in HEADS:
                    own = [(number, compared.values) for number, block in enumerate(group) for compared in block if compared.head == head]
                    if not own:
                        continue
                    rows = np.concatenate([values for _, values in own]).astype(np.float32)
                    others = [bank for other, bank in indexes[head].items() if other != fold or len(indexes[head]) == 1]
                    distances[head].append(np.min([bank.distances(rows) for bank in others], axis=0))
                    blocks[head].append(np.repeat([count + number for number, _ in own], [len(values) for _, values in own]))
                count += len(group)
            ends.append(count)
        combined = np.full(count, -np.inf)  # (block,)
        scales = {}
        for head in HEADS:
            least = LEAST_DISTANCE.get(head, 0.0)
            scales[head], per_block = fit_head_scale(np.concatenate(distances[head]), np.concatenate(blocks[head]), count, least)
            combined = np.fmax(combined, per_block)
        return scales, [part for part in np.split(combined, ends[:-1]) if len(part)]


def _groups(store: EmbeddingStore, folds: Folds, index: int) -> Iterator[tuple[int, list[list[StoredInput]]]]:
    """Runs of blocks of one fold, short enough to compare at once."""
    group: list[list[StoredInput]] = []
    current = -1
    for block in store.blocks(index):
        fold = folds.of(index, block[0].first_cell)
        if group and (fold != current or len(group) == BLOCKS_AT_ONCE):
            yield current, group
            group = []
        current = fold
        group.append(block)
    if group:
        yield current, group
