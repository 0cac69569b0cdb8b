"""Fits what `edge/detectors/cfa.py` scores: a descriptor network, trained on all folds of the recordings but one, and measured on that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.random import default_rng  # not np.random, which is imported at its first use: that may swallow a Ctrl-C
from numpy.typing import NDArray

from calibrate.coreset import Reservoir
from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.base_fitter import BaseFitter
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.options import OptionFields, option
from calibrate.fitters.trained import Trained, judged
from calibrate.held_out import HeldOut
from calibrate.workers_here import WorkersHere
from edge.console.numbers import whole_number
from edge.console.progress import progress
from edge.detectors.cfa import CFA, MEMBER, NEAREST, Cfa
from edge.detectors.detector import EXCESS, real_cells
from edge.errors import UserError
from edge.features.any_backbone import AnyBackbone
from edge.features.backbone import BLOCK_SHAPES, DEFAULT_BACKBONE
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.heads import Mode

if TYPE_CHECKING:
    from export.cfa.training import TrainedCfa

Float32 = NDArray[np.float32]

DIMENSIONS = 128  # of a descriptor; the published ones have as many as the features, and are seven times as large
MOST_BLOCKS = 2048  # that are trained on: 11 minutes, in 120 MB; of more sound, so many are drawn


@dataclass(frozen=True, slots=True)
class CfaSettings(OptionFields):
    """What may be chosen about a CFA."""

    detector: ClassVar[str] = CFA
    summary: ClassVar[str] = (
        "learns to draw normal sound together around a few centres: one network layer, trained in minutes without a GPU; a small "
        "bundle (1 MB); for machines whose normal sound is of several kinds; holds back a fifth of the recordings for the threshold"
    )
    backbone: ClassVar[str] = DEFAULT_BACKBONE
    features: ClassVar[tuple[str, ...]] = (CFA, EXCESS)
    clip_statistic: ClassVar[Literal["largest", "mean"]] = "largest"

    centres: int = option(
        "--cfa-centres",
        32,
        type=whole_number(NEAREST, 1000),
        metavar="N",
        help="centres of normal sound per mel band (default: %(default)s)",
    )
    epochs: int = option(
        "--cfa-epochs",
        30,
        type=whole_number(1, 100_000),
        metavar="N",
        help="passes over the recordings in training (default: %(default)s, as published)",
    )
    seed: int = 0
    device: str = field(default="auto", metadata={"stored": False})

    def fitter(self, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode) -> CfaFitter:
        """A fitter with these settings; UserError when the backbone has no network."""
        if not backbone.has_network:
            raise UserError(f"--backbone {backbone.name}", f"has no features for cfa; leave it out to use {self.backbone}")
        return CfaFitter(backbone, bandwidth_hz, self, mode)


class CfaFitter(BaseFitter[CfaSettings, AnyBackbone]):
    """Fits one CFA."""

    def fit(self, recordings: list[Recording], workers: WorkersHere | None = None) -> FittedDetector:
        """Train on all folds of normal recordings but one, and score that one.

        Raises
        ------
        AudioError
            Too little sound to train on, or nothing that could be kept from the training.
        """
        held_out = HeldOut(recordings)
        trained = self._trained(recordings, held_out)
        spheres = {"spheres": {"centres": trained.centres.astype(np.float16)}}
        made = Trained(Cfa, CFA, recordings, held_out, {MEMBER: trained.network}, spheres)
        return judged(made, self._backbone, self._bandwidth_hz, self._mode, workers=workers)

    def _trained(self, recordings: list[Recording], held_out: HeldOut) -> TrainedCfa:
        from export.cfa.descriptor import flattened  # torch, which --help does without
        from export.cfa.training import CfaTraining, train_cfa
        from export.training.device import device_named

        settings = self._settings
        device = device_named(settings.device)
        sample = Reservoir(MOST_BLOCKS, default_rng(settings.seed))
        for index in progress(range(len(recordings)), label="listening"):
            if held_out.has_all(index):
                continue
            for first_cell, real, block in self._heard(recordings[index]):
                if real == slice(0, BLOCK_CELLS) and not held_out.has_any(index, first_cell, first_cell + BLOCK_CELLS):
                    sample.add(flattened({name: getattr(block.features, name) for name in BLOCK_SHAPES}))
        told = CfaTraining(self._bands, DIMENSIONS, settings.centres, settings.epochs, settings.seed)
        return train_cfa(sample.rows, told, device)

    def _heard(self, recording: Recording) -> Iterator[tuple[int, slice, FeatureBlock]]:
        """Blocks of a recording: the recording's cell at which they start, which of their cells are real, and the block itself."""
        for heard in heard_blocks(recording, self._backbone, self._bandwidth_hz, Cfa.lag_blocks):
            real = real_cells(heard.block.first_cell, heard.cells)
            if real.stop > real.start:
                yield heard.base_cell + heard.block.first_cell + real.start, real, heard.block
