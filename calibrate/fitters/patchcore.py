"""Fits what `edge/detectors/patchcore.py` scores: a projection of CNN14's features, banks of each feature, and the unit of excess."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from calibrate.embedding_store import EmbeddingStore
from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.banks import BankFitter, BankKind
from calibrate.fitters.base_fitter import BaseFitter
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.loudness import fit_loudness
from calibrate.fitters.options import OptionFields, option
from calibrate.folds import Folds
from calibrate.lookahead import Lookahead
from calibrate.workers_here import WorkersHere
from edge.console.numbers import whole_number
from edge.detectors.detector import EXCESS
from edge.detectors.embedding import Embedder, random_projection
from edge.detectors.patchcore import FEATURES
from edge.features.any_backbone import AnyBackbone
from edge.features.backbone import BLOCK_SHAPES, DEFAULT_BACKBONE
from edge.judgement.heads import Mode

Float32 = NDArray[np.float32]

SCALE_SECONDS = 60.0  # of sound that tells how large each block's features are
SMALLEST_CORESET, LARGEST_CORESET = 10, 5000  # patches; the candidates of more would not fit into bounded memory


@dataclass(frozen=True, slots=True)
class PatchCoreSettings(OptionFields):
    """What may be chosen about a PatchCore; the defaults serve every machine."""

    detector: ClassVar[str] = "patchcore"
    summary: ClassVar[str] = "compares with normal sound that it keeps; the default, and right for most machines: needs no training"
    backbone: ClassVar[str] = DEFAULT_BACKBONE
    features: ClassVar[tuple[str, ...]] = FEATURES
    clip_statistic: ClassVar[Literal["largest", "mean"]] = "largest"

    coreset: int = option(
        "--coreset",
        500,
        type=whole_number(SMALLEST_CORESET, LARGEST_CORESET),
        metavar="N",
        help="patches kept per mel band (default: %(default)s)",
    )
    banks: BankKind = option(  # noqa: RUF009  # it returns a field
        "--banks",
        "per-band",
        choices=("per-band", "shared"),
        help="a memory bank for each mel band, or one for all as published (default: %(default)s)",
    )
    seed: int = 0

    def fitter(self, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode) -> PatchCoreFitter:
        """A fitter with these settings."""
        return PatchCoreFitter(backbone, bandwidth_hz, self, mode)


class PatchCoreFitter(BaseFitter[PatchCoreSettings, AnyBackbone]):
    """Fits one PatchCore."""

    def __init__(self, backbone: AnyBackbone, bandwidth_hz: float, settings: PatchCoreSettings, mode: Mode = "stream") -> None:
        super().__init__(backbone, bandwidth_hz, settings, mode)
        self._features = tuple(feature for feature in FEATURES if feature != "cnn14" or backbone.has_network)

    def fit(self, recordings: list[Recording], workers: WorkersHere | None = None) -> FittedDetector:
        """Fit on normal recordings."""
        lookahead = Lookahead(partial(heard_blocks, backbone=self._backbone, bandwidth_hz=self._bandwidth_hz))
        projection = self._projection(recordings, lookahead) if self._backbone.has_network else {}
        banked = [feature for feature in self._features if feature != EXCESS]
        new_embedder = partial(Embedder, projection, self._bands)
        store = EmbeddingStore(
            recordings, self._backbone, self._bandwidth_hz, self._features, new_embedder, workers=workers, lookahead=lookahead
        )
        loudness = fit_loudness(store, self._backbone.front_end.cell_s)
        settings = self._settings
        banks = BankFitter(banked, settings.coreset, settings.banks, settings.seed, self._mode).fit(store, Folds(recordings))
        arrays: dict[str, dict[str, NDArray[np.generic]]] = {"projection": dict(projection)} if projection else {}
        features = dict.fromkeys(self._features, self._bands)
        heard = [own | loud for own, loud in zip(banks.deviations, loudness.deviations, strict=True)]
        return FittedDetector(arrays | banks.arrays | loudness.arrays, features, heard, averages=loudness.averages)

    def _projection(self, recordings: list[Recording], lookahead: Lookahead) -> dict[str, Float32]:
        """A random projection in which the three blocks weigh the same, whatever the size of their features."""
        squares = dict.fromkeys(BLOCK_SHAPES, 0.0)
        block_s = self._backbone.front_end.block_samples / self._backbone.front_end.sample_rate_hz
        per_recording = max(1, round(SCALE_SECONDS / block_s / len(recordings)))
        for recording in recordings[: round(SCALE_SECONDS / block_s)]:
            for heard in lookahead.first(recording, per_recording + 2):
                if heard.block.first_cell < 0:
                    continue
                for name in squares:
                    squares[name] += float(np.square(getattr(heard.block.features, name)).mean())
        projection = random_projection(self._settings.seed, {name: channels for name, (_, _, channels) in BLOCK_SHAPES.items()})
        total = sum(squares.values())
        return {
            name: (matrix * np.sqrt(total / max(squares[name], 1e-12) / len(squares))).astype(np.float32)
            for name, matrix in projection.items()
        }
