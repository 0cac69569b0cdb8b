"""Fits what `edge/detectors/autoencoder.py` scores: trains the dense autoencoder of the DCASE 2020 baseline on normal sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from calibrate.embeddings import Recording
from calibrate.fitters.base_fitter import BaseFitter
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.normal_sound import NormalSound, require_log_mel_16k
from calibrate.fitters.options import OptionFields, option
from calibrate.workers_here import WorkersHere
from edge.console.numbers import whole_number
from edge.detectors.autoencoder import AUTOENCODER, MEMBER, Autoencoder
from edge.detectors.detector import EXCESS
from edge.features.any_backbone import AnyBackbone
from edge.features.frontend import CELL_MELS
from edge.features.logmel_backbone import LOGMEL_16K
from edge.judgement.heads import Mode

LEAST_DEVIATION = 0.1  # dB^2: of a band whose errors hardly differ, in a synthesised or very steady machine


@dataclass(frozen=True, slots=True)
class AutoencoderSettings(OptionFields):
    """What may be chosen about an autoencoder; the defaults are the baseline's."""

    detector: ClassVar[str] = AUTOENCODER
    summary: ClassVar[str] = (
        "learns to reproduce normal sound; what it fails to reproduce is anomalous; the baseline of DCASE 2020; for steady machines; "
        "trains in a minute or two without a GPU; 1 MB, and the cheapest to run"
    )
    backbone: ClassVar[str] = LOGMEL_16K
    features: ClassVar[tuple[str, ...]] = (AUTOENCODER, EXCESS)
    clip_statistic: ClassVar[Literal["largest", "mean"]] = "mean"

    epochs: int = option(
        "--autoencoder-epochs",
        100,
        type=whole_number(1, 100_000),
        metavar="N",
        help="passes over the recordings in training (default: %(default)s, as published)",
    )
    batch: int = 512
    seed: int = 0
    device: str = field(default="auto", metadata={"stored": False})

    def fitter(self, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode) -> AutoencoderFitter:
        """A fitter with these settings; UserError when the backbone is not the log-mel that the baseline takes."""
        require_log_mel_16k(self.detector, backbone)
        return AutoencoderFitter(backbone, bandwidth_hz, self, mode)


class AutoencoderFitter(BaseFitter[AutoencoderSettings, AnyBackbone]):
    """Fits one autoencoder."""

    def fit(self, recordings: list[Recording], workers: WorkersHere | None = None) -> FittedDetector:
        """Train on all folds but one, and measure on that."""
        from export.autoencoder.training import AutoencoderTraining, exported, train_autoencoder  # torch, which --help does without
        from export.training.device import device_named

        settings = self._settings
        normal = NormalSound(recordings, self._backbone, self._bandwidth_hz)
        runs = [run[:, : normal.bands * CELL_MELS] for run in normal.learned()]
        told = AutoencoderTraining(settings.epochs, settings.batch, settings.seed)
        network = train_autoencoder(runs, told, device_named(settings.device))
        return normal.fitted(Autoencoder, AUTOENCODER, {MEMBER: exported(network)}, self._mode, LEAST_DEVIATION, workers)
