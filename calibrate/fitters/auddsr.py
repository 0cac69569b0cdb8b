"""Fits what `edge/detectors/auddsr.py` scores: trains AudDSR's networks on normal sound and simulated faults, and on real ones if given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import Recording
from calibrate.fitters.base_fitter import BaseFitter
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.normal_sound import NormalSound, require_log_mel_16k, stretches_of
from calibrate.fitters.options import OptionFields, option
from calibrate.workers_here import WorkersHere
from edge.audio.audio_file import audio_info, find_audio_files
from edge.audio.channels import Channel
from edge.console.numbers import number, whole_number
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


def _count(name: str, default: int, least: int, meaning: str, most: int | None = None) -> Any:
    """A field that an option asks for, a whole number."""
    kind = whole_number(least, most)
    return option(f"--auddsr-{name}", default, type=kind, metavar="N", help=f"{meaning} (default: %(default)s)")


@dataclass(frozen=True, slots=True)
class AudDsrSettings(OptionFields):
    """What may be chosen about an AudDSR; the schedule's defaults are the paper's."""

    detector: ClassVar[str] = AUDDSR
    summary: ClassVar[str] = (
        "learns to find faults that it simulates among the codes of normal sound; for faint faults and many recordings; needs a GPU "
        "for the published length of training, or fewer steps; 5 MB; alarms come about 5 s late"
    )
    backbone: ClassVar[str] = LOGMEL_16K
    features: ClassVar[tuple[str, ...]] = (AUDDSR, EXCESS)
    clip_statistic: ClassVar[Literal["largest", "mean"]] = "mean"

    autoencoder_steps: int = _count("autoencoder-steps", 20000, 1, "training steps of the first stage, which learns to encode sound")
    autoencoder_batch: int = _count("autoencoder-batch", 256, 2, "excerpts in a step of the first stage")
    steps: int = _count("steps", 10000, 1, "training steps of the second stage, which learns to find simulated faults")
    batch: int = _count("batch", 16, 2, "excerpts in a step of the second stage")
    learning_rate: float = option(
        "--auddsr-learning-rate",
        2e-4,
        type=number(1e-6, 1.0),
        metavar="R",
        help="learning rate of both stages; shorter schedules need more, up to 0.002 (default: %(default)s)",
    )
    codes: int = _count("codes", 512, 4, f"codes in each of the two codebooks, up to {MOST_CODES}", MOST_CODES)
    channels: int = _count("channels", 64, 4, f"channels of the features, and numbers in a code, up to {MOST_CHANNELS}", MOST_CHANNELS)
    synthesised_minutes: float = option(
        "--auddsr-synthesised-minutes",
        10.0,
        type=number(0.0),
        metavar="N",
        help="minutes of synthesised machines that the first stage learns in addition to the recordings (default: %(default)g)",
    )
    seed: int = 0
    device: str = field(default="auto", metadata={"stored": False})
    general: str | None = option(
        "--auddsr-general", None, stored=False, metavar="DIR", help="recordings of any machines, that the first stage learns too"
    )
    state: str | None = option(
        "--auddsr-state", None, stored=False, metavar="DIR", help="keep the training here, and go on with it if it was stopped"
    )
    outliers: str | None = option(
        "--outliers",
        None,
        stored=False,
        metavar="DIR",
        help="recordings of real faults, or of other machines, that the second stage learns to find as well",
    )

    def fitter(self, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode) -> AudDsrFitter:
        """A fitter with these settings; UserError when the backbone is not the log-mel that AudDSR takes."""
        require_log_mel_16k(self.detector, backbone)
        return AudDsrFitter(backbone, bandwidth_hz, self, mode)


class AudDsrFitter(BaseFitter[AudDsrSettings, AnyBackbone]):
    """Fits one AudDSR."""

    def fit(self, recordings: list[Recording], workers: WorkersHere | None = None) -> FittedDetector:
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
        return normal.fitted(AudDsr, AUDDSR, blobs, self._mode, LEAST_DEVIATION, workers)

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
