"""Fits what `edge/detectors/padim.py` scores: a choice of CNN14's dimensions, and Gaussians of them.

Pass 1 adds up features and their outer products, fold by fold. Pass 2 measures each recording by the Gaussians of the other folds: that is
what normal sound, not heard before, looks like. Both passes need the same memory for an hour and for a day.

In an endless stream a bundle holds the Gaussians of all choices of folds but one, and judges by the mean distance; 5 times 16 bands of
100 x 100 are 0.8 MB. Those of clips are 250 times as many: a Gaussian for every cell of 10 s and 16 bands is 40 MB, and five of each
would be 200 MB. So clips are judged, as published, by one set of Gaussians of all recordings. New sound is then a little nearer to them
than held-out sound was, the more so the fewer clips there are; the order of clips, which the published figures are about, does not suffer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.random import default_rng  # not np.random, which is imported at its first use: that may swallow a Ctrl-C
from numpy.typing import NDArray

from calibrate.embedding_store import EmbeddingStore
from calibrate.embeddings import Recording
from calibrate.fitters.base_fitter import BaseFitter
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.gaussians import Sums, Whitened, unit_scale, whiten
from calibrate.fitters.loudness import fit_loudness
from calibrate.fitters.options import OptionFields, option
from calibrate.fitters.standard import laid_out, standardise
from calibrate.folds import Folds
from calibrate.workers_here import WorkersHere
from edge.console.numbers import whole_number
from edge.console.progress import progress
from edge.detectors.detector import EXCESS
from edge.detectors.gaussians import Gaussians
from edge.detectors.loudness import mel_loudness
from edge.detectors.padim import PADIM
from edge.detectors.selection import CHANNELS, Selection
from edge.errors import UserError
from edge.features.any_backbone import AnyBackbone
from edge.features.backbone import DEFAULT_BACKBONE
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.heads import Mode

Float32 = NDArray[np.float32]

FEWEST_DIMENSIONS, MOST_DIMENSIONS = 8, 550
SUMS_BYTES = 512 << 20  # of the sums of clips: 11 s of 16 bands and 100 dimensions
SHORTEST_CLIP_S = 1.0


@dataclass(frozen=True, slots=True)
class PadimSettings(OptionFields):
    """What may be chosen about a PaDiM."""

    detector: ClassVar[str] = PADIM
    summary: ClassVar[str] = (
        "a Gaussian of normal sound per mel band: no training, half the bundle of patchcore (1 MB), for machines whose normal sound is of "
        "one kind; clips of one length have a Gaussian per cell (bundle: 40 MB)"
    )
    backbone: ClassVar[str] = DEFAULT_BACKBONE
    features: ClassVar[tuple[str, ...]] = (PADIM, EXCESS)
    clip_statistic: ClassVar[Literal["largest", "mean"]] = "largest"

    dimensions: int = option(
        "--padim-dimensions",
        100,
        type=whole_number(FEWEST_DIMENSIONS, MOST_DIMENSIONS),
        metavar="N",
        help=f"of CNN14's {CHANNELS} dimensions that are looked at, drawn at random; a bundle grows with their square "
        "(default: %(default)s)",
    )
    seed: int = 0

    def fitter(self, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode) -> PadimFitter:
        """A fitter with these settings; UserError when the backbone has no network."""
        if not backbone.has_network:
            raise UserError(f"--backbone {backbone.name}", f"has no features for padim; leave it out to use {self.backbone}")
        return PadimFitter(backbone, bandwidth_hz, self, mode)


class PadimFitter(BaseFitter[PadimSettings, AnyBackbone]):
    """Fits one PaDiM."""

    def __init__(self, backbone: AnyBackbone, bandwidth_hz: float, settings: PadimSettings, mode: Mode = "stream") -> None:
        super().__init__(backbone, bandwidth_hz, settings, mode)
        chosen = np.sort(default_rng(settings.seed).choice(CHANNELS, settings.dimensions, replace=False))
        self._dimensions = chosen.astype(np.int64)
        self._selection = Selection(self._dimensions, self._bands)

    def fit(self, recordings: list[Recording], workers: WorkersHere | None = None) -> FittedDetector:
        """Fit on normal recordings; UserError when there are too many dimensions for clips of this length."""
        folds = Folds(recordings)
        store = EmbeddingStore(
            recordings,
            self._backbone,
            self._bandwidth_hz,
            (PADIM, EXCESS),
            partial(_Selector, self._selection, self._bands),
            workers=workers,
        )
        sums = self._sums(store, folds, 1 if self._mode == "stream" else self._clip_cells(recordings, folds))
        whole = Sums(sums[0].moments, self._bands, self._selection.count)
        for fold in sums:
            whole += fold
        scale = unit_scale(whole, self._selection.sizes)
        without = _without_each(sums, whole, scale)
        distances = self._distances(store, folds, without, scale)
        kept = list(without.values()) if self._mode == "stream" else [whiten(whole, scale)]
        loudness = fit_loudness(store, self._backbone.front_end.cell_s)
        gaussians: dict[str, NDArray[np.generic]] = {"dimensions": self._dimensions.astype(np.int16), "scale": scale, **_stacked(kept)}
        arrays: dict[str, dict[str, NDArray[np.generic]]] = {
            "gaussians": gaussians,
            PADIM: {**standardise(distances, self._mode)},
            **loudness.arrays,
        }
        features = {PADIM: self._bands, **loudness.features}
        return FittedDetector(arrays, features, loudness.beside(PADIM, distances), averages=loudness.averages)

    def _clip_cells(self, recordings: list[Recording], folds: Folds) -> int:
        """The length of a clip in cells: that of the middle recording, or an even part of it where it is too long."""
        cell_bytes = (folds.count + 1) * self._bands * self._selection.count * (self._selection.count + 1) // 2 * 4
        most, length = SUMS_BYTES // cell_bytes, int(np.median([recording.cells for recording in recordings]))
        if most < SHORTEST_CLIP_S / self._backbone.front_end.cell_s:
            raise UserError(f"--padim-dimensions {self._selection.count}", "are too many for a Gaussian per cell of a clip; 300 are not")
        return max(BLOCK_CELLS, -(-length // -(-length // most)))

    def _sums(self, store: EmbeddingStore, folds: Folds, moments: int) -> list[Sums]:
        sums = [Sums(moments, self._bands, self._selection.count) for _ in range(folds.count)]
        for index in progress(range(len(store.recordings)), label="adding up"):
            for block in store.blocks(index):
                sums[folds.of(index, block.first_cell)].add(block.first_cell - block.base_cell, block.patches[PADIM])
        return sums

    def _distances(self, store: EmbeddingStore, folds: Folds, without: dict[int, Whitened], scale: Float32) -> list[Float32]:
        """Per recording the distance of every cell from the Gaussians of the other folds, shape = (cell, band)."""
        gaussians = {fold: Gaussians(_stacked([known]), self._bands, self._selection.count) for fold, known in without.items()}
        distances = []
        for index in progress(range(len(store.recordings)), label="calibrating"):
            parts = []
            for block in store.blocks(index):
                cells = block.patches[PADIM].astype(np.float32) * scale
                others = gaussians[folds.of(index, block.first_cell)]
                parts.append((block.first_cell, others.distances(block.first_cell - block.base_cell, cells)))
            if parts:
                distances.append(laid_out(parts))
        return distances


@dataclass(frozen=True, slots=True)
class _Selected:
    first_cell: int
    cells: Float32  # (8, band, dimension)
    mels_db: Float32  # (8, band, 4)

    def of(self, feature: str) -> Float32:
        return self.cells if feature == PADIM else self.mels_db


class _Selector:
    """Selects of each block: nothing is kept from block to block."""

    def __init__(self, selection: Selection, bands: int) -> None:
        self._selection = selection
        self._bands = bands

    def push(self, block: FeatureBlock) -> _Selected:
        return _Selected(block.first_cell, self._selection.of(block.features), mel_loudness(block, self._bands))


def _without_each(sums: list[Sums], whole: Sums, scale: Float32) -> dict[int, Whitened]:
    """The Gaussians of all folds but one, for each in which anything was heard; its sums are given up, for there may be many of them."""
    heard = [fold for fold, own in enumerate(sums) if own.count.any()]
    without = {}
    for fold in heard:
        if len(heard) > 1:
            whole -= sums[fold]
        without[fold] = whiten(whole, scale)
        if len(heard) > 1:
            whole += sums[fold]
        sums[fold] = Sums(1, 1, 1)
    return without


def _stacked(known: list[Whitened]) -> dict[str, NDArray[np.generic]]:
    """Sets of Gaussians as a bundle holds them: fold, moment, band."""
    return {"centre": np.stack([one.centre for one in known]), "whitening": np.stack([one.whitening for one in known])}
