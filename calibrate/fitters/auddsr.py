"""Fits what `edge/detectors/auddsr.py` scores: trains AudDSR's networks on normal sound and simulated faults, and on real ones if given."""

from __future__ import annotations

from argparse import Namespace, _ArgumentGroup
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from calibrate.arguments import number, whole_number
from calibrate.embeddings import Recording
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.normal_sound import NormalSound, require_log_mel_16k, stretches_of
from edge.audio.audio_file import audio_info, find_audio_files
from edge.audio.channels import Channel
from edge.detectors.auddsr import AUDDSR, MEMBER, AudDsr
from edge.detectors.detector import EXCESS
from edge.errors import AudioError
from edge.features.any_backbone import AnyBackbone
from edge.features.frontend import CELL_MELS, mels_below
from edge.features.level import MASKED_DB
from edge.features.logmel_backbone import LOGMEL_16K
from edge.judgement.heads import Mode

if TYPE_CHECKING:
    from export.auddsr.excerpts import Excerpts

LEAST_DEVIATION = 1e-3  # of the map, which is 0 .. 1: less is the noise of a network that is sure
MOST_CODES, MOST_CHANNELS = 2048, 64  # together as much as a network in a bundle may need (edge/features/onnx_graph.py)
SYNTHESIS_SEED = 1_000_000  # apart from the machines of tests


@dataclass(frozen=True, slots=True)
class AudDsrSettings:
    """What may be chosen about an AudDSR; the schedule's defaults are the paper's."""

    detector: ClassVar[str] = AUDDSR
    summary: ClassVar[str] = (
        "learns to find faults that it simulates among the codes of normal sound; for faint faults and many recordings; wants a GPU "
        "for the published length of training, or fewer steps; 5 MB, about 5 s late"
    )
    backbone: ClassVar[str] = LOGMEL_16K
    features: ClassVar[tuple[str, ...]] = (AUDDSR, EXCESS)
    clip_statistic: ClassVar[Literal["largest", "mean"]] = "mean"

    autoencoder_steps: int = 20000
    autoencoder_batch: int = 256
    steps: int = 10000
    batch: int = 16
    learning_rate: float = 2e-4
    codes: int = 512
    channels: int = 64
    synthesised_minutes: float = 10.0
    seed: int = 0
    device: str = field(default="auto", metadata={"stored": False})
    state: str | None = field(default=None, metadata={"stored": False})  # folder
    general: str | None = field(default=None, metadata={"stored": False})  # folder
    outliers: str | None = field(default=None, metadata={"stored": False})  # folder

    def fitter(self, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode) -> AudDsrFitter:
        """A fitter with these settings; UserError when the backbone is not the log-mel that AudDSR takes."""
        require_log_mel_16k(self.detector, backbone)
        return AudDsrFitter(backbone, bandwidth_hz, self, mode)

    @classmethod
    def add_arguments(cls, group: _ArgumentGroup) -> None:
        """Declare its options."""
        default = cls()
        counts = {
            "autoencoder-steps": (default.autoencoder_steps, 1, "training steps of the first stage, which learns to encode sound"),
            "autoencoder-batch": (default.autoencoder_batch, 2, "excerpts in a step of the first stage"),
            "steps": (default.steps, 1, "training steps of the second stage, which learns to find simulated faults"),
            "batch": (default.batch, 2, "excerpts in a step of the second stage"),
            "codes": (default.codes, 4, f"codes in each of the two codebooks, up to {MOST_CODES}"),
            "channels": (default.channels, 4, f"channels of the features, and numbers in a code, up to {MOST_CHANNELS}"),
        }
        most = {"codes": MOST_CODES, "channels": MOST_CHANNELS}
        for name, (value, least, meaning) in counts.items():
            group.add_argument(
                f"--auddsr-{name}",
                type=whole_number(least, most.get(name)),
                default=value,
                metavar="N",
                help=f"{meaning} (default: %(default)s)",
            )
        group.add_argument(
            "--auddsr-learning-rate",
            type=number(1e-6, 1.0),
            default=default.learning_rate,
            metavar="R",
            help="learning rate of both stages; shorter schedules need more, up to 0.002 (default: %(default)s)",
        )
        group.add_argument(
            "--auddsr-synthesised-minutes",
            type=number(0.0),
            default=default.synthesised_minutes,
            metavar="N",
            help="minutes of synthesised machines that the first stage learns in addition to the recordings (default: %(default)g)",
        )
        group.add_argument("--auddsr-general", metavar="DIR", help="recordings of any machines, that the first stage learns too")
        group.add_argument("--auddsr-state", metavar="DIR", help="keep the training here, and go on with it if it was stopped")
        group.add_argument(
            "--outliers",
            metavar="DIR",
            help="recordings of real faults, or of other machines, that the second stage learns to find as well",
        )

    @classmethod
    def from_arguments(cls, arguments: Namespace) -> AudDsrSettings:
        """The settings that options ask for."""
        return cls(
            autoencoder_steps=arguments.auddsr_autoencoder_steps,
            autoencoder_batch=arguments.auddsr_autoencoder_batch,
            steps=arguments.auddsr_steps,
            batch=arguments.auddsr_batch,
            learning_rate=arguments.auddsr_learning_rate,
            codes=arguments.auddsr_codes,
            channels=arguments.auddsr_channels,
            synthesised_minutes=arguments.auddsr_synthesised_minutes,
            seed=arguments.seed,
            device=arguments.device,
            state=arguments.auddsr_state,
            general=arguments.auddsr_general,
            outliers=arguments.outliers,
        )


class AudDsrFitter:
    """Fits one AudDSR."""

    def __init__(self, backbone: AnyBackbone, bandwidth_hz: float, settings: AudDsrSettings, mode: Mode = "stream") -> None:
        self._backbone = backbone
        self._bandwidth_hz = bandwidth_hz
        self._settings = settings
        self._mode: Mode = mode

    def fit(self, recordings: list[Recording]) -> FittedDetector:
        """Train on all folds but one, and measure on that."""
        from export.auddsr.excerpts import Excerpts  # torch, which --help does without
        from export.auddsr.settings import AudDsrTraining
        from export.auddsr.training import Sound, exported, train_auddsr
        from export.training.device import device_named

        settings = self._settings
        device = device_named(settings.device)
        channel = recordings[0].channel
        outliers = self._recorded(settings.outliers, channel) if settings.outliers else None
        general = self._general(channel)
        normal = NormalSound(recordings, self._backbone, self._bandwidth_hz)
        sound = Sound(Excerpts(normal.learned()), general, outliers, normal.bands * CELL_MELS)
        told = AudDsrTraining(
            autoencoder_steps=settings.autoencoder_steps,
            autoencoder_batch=settings.autoencoder_batch,
            steps=settings.steps,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            codes=settings.codes,
            channels=settings.channels,
            seed=settings.seed,
        )
        network = train_auddsr(sound, told, device, Path(settings.state) if settings.state else None)
        blobs = {MEMBER: exported(network, self._backbone.front_end.mel_bands)}
        return normal.fitted(AudDsr, AUDDSR, blobs, self._mode, LEAST_DEVIATION)

    def _general(self, channel: Channel) -> Excerpts | None:
        """Sound of any machines."""
        from export.auddsr.excerpts import Excerpts
        from export.sound import synthesised_clips

        front_end = self._backbone.front_end
        runs = []
        if self._settings.synthesised_minutes:
            runs = [clip.log_mel for clip in synthesised_clips(front_end, 60.0 * self._settings.synthesised_minutes, SYNTHESIS_SEED)]
            for run in runs:
                run[:, mels_below(front_end, self._bandwidth_hz) :] = MASKED_DB
        if self._settings.general:
            runs += self._runs(self._settings.general, channel)
        return Excerpts(runs) if runs else None

    def _recorded(self, folder: str, channel: Channel) -> Excerpts:
        from export.auddsr.excerpts import Excerpts

        return Excerpts(self._runs(folder, channel))

    def _runs(self, folder: str, channel: Channel) -> list[NDArray[np.floating]]:
        """The frames of all recordings in a folder, each run (frame, mel) dB.

        Raises
        ------
        AudioError : no such folder, nothing in it, or a recording that carries less than the machine's do: it would be told by that
        """
        recordings = [Recording(path, channel, 0) for path in find_audio_files([folder])]
        for recording in recordings:
            rate_hz = audio_info(recording.path).rate_hz
            if rate_hz / 2 < self._bandwidth_hz:
                raise AudioError(recording.path, f"carries only {rate_hz / 2:.0f} Hz; the machine's recordings {self._bandwidth_hz:.0f} Hz")
        runs: list[NDArray[np.floating]] = [stretch.frames for stretch in stretches_of(recordings, self._backbone, self._bandwidth_hz)]
        if not runs:
            raise AudioError(folder, "holds no sound to learn from")
        return runs
