"""Fits what `edge/detectors/stfpm.py` scores: a student of the backbone, trained on normal sound, and its distances of sound held out.

Training takes torch, which this file imports, through export, where it fits.

Why 300 steps: on MIMII's fan_id_02 at 0 dB (five recordings of 10 s, one of them held out; seed 0) the loss on sound held out was 0.23,
0.17 and 0.16 after 100, 200 and 300 steps of 8 excerpts. ROC AUC, of 5 normal and 10 anomalous clips, was 0.84, 0.86 and 0.86 by the mean
of the map; by its largest cell 0.74, 0.74 and 0.78. With 6 excerpts in place of 8, the finished bundle reaches 0.90 and 0.82 (8: 0.90 and
0.78), and fitting takes 160 s of one x86 core and 0.8 GB in place of 206 s and 0.9 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.random import default_rng  # not np.random, which is imported at its first use: that may swallow a Ctrl-C
from numpy.typing import NDArray

from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.base_fitter import BaseFitter
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.options import OptionFields, option
from calibrate.fitters.trained import Trained, judged
from calibrate.held_out import HeldOut
from calibrate.workers_here import WorkersHere
from edge.console.numbers import whole_number
from edge.console.progress import progress
from edge.detectors.detector import EXCESS
from edge.detectors.stfpm import CARD_MEMBER, STFPM, STUDENT_MEMBER, Stfpm
from edge.errors import UserError
from edge.features.any_backbone import AnyBackbone
from edge.features.backbone import DEFAULT_BACKBONE, Backbone
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.heads import Mode

if TYPE_CHECKING:
    from export.stfpm.lesson import Lesson
    from export.stfpm.network import StudentNetwork
    from export.trunk import Precision

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StfpmSettings(OptionFields):
    """What may be chosen about an STFPM."""

    detector: ClassVar[str] = STFPM
    summary: ClassVar[str] = (
        "a network learns to imitate the backbone on normal sound, and fails on other sound; for machines that hardly vary; "
        "minutes of training with the [train] extra, 5 MB more, twice the cost per second of audio"
    )
    backbone: ClassVar[str] = DEFAULT_BACKBONE
    features: ClassVar[tuple[str, ...]] = (STFPM, EXCESS)
    clip_statistic: ClassVar[Literal["largest", "mean"]] = "largest"

    steps: int = option(
        "--stfpm-steps", 300, type=whole_number(1, 1_000_000), metavar="N", help="training steps of the student (default: %(default)s)"
    )
    batch: int = option(  # 70 MB for every one
        "--stfpm-batch", 6, type=whole_number(2, 1024), metavar="N", help="excerpts of 1.92 s in each step (default: %(default)s)"
    )
    device: str = "auto"
    seed: int = 0

    def fitter(self, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode) -> StfpmFitter:
        """A fitter with these settings; UserError when the backbone has no network."""
        if not isinstance(backbone, Backbone):
            raise UserError(f"--backbone {backbone.name}", f"has no network that a student could imitate; take {DEFAULT_BACKBONE}")
        return StfpmFitter(backbone, bandwidth_hz, self, mode)


class StfpmFitter(BaseFitter[StfpmSettings, Backbone]):
    """Fits one STFPM."""

    def fit(self, recordings: list[Recording], workers: WorkersHere | None = None) -> FittedDetector:
        """Train on all folds of normal recordings but one, and score that one."""
        held_out = HeldOut(recordings)
        network = self._trained(recordings, held_out)
        blobs = {STUDENT_MEMBER: network.model, CARD_MEMBER: network.card}
        trained = Trained(Stfpm, STFPM, recordings, held_out, blobs, {})
        return judged(trained, self._backbone, self._bandwidth_hz, self._mode, workers=workers)

    def _trained(self, recordings: list[Recording], held_out: HeldOut) -> StudentNetwork:
        from export.stfpm.lesson import Lesson
        from export.stfpm.network import student_network
        from export.stfpm.student import train_student
        from export.training.device import device_named

        settings = self._settings
        device = device_named(settings.device)
        rng = default_rng(settings.seed)
        lesson = Lesson(rng)
        for index in progress(range(len(recordings)), label="listening"):
            self._learn(lesson, index, recordings[index], held_out)
        parameters = train_student(lesson, settings.steps, settings.batch, settings.seed, rng, device)
        precision: Precision = "int8" if self._backbone.precision == "int8" else "fp32"
        return student_network(parameters, lesson, precision, self._backbone.front_end, self._bandwidth_hz, settings.seed)

    def _learn(self, lesson: Lesson, index: int, recording: Recording, held_out: HeldOut) -> None:
        """Add the sound of a recording to the lesson, less what is held out."""
        if held_out.has_all(index):
            return
        segment = -1
        for heard in heard_blocks(recording, self._backbone, self._bandwidth_hz):
            first_cell = heard.base_cell + heard.block.first_cell
            if heard.segment != segment or held_out.has_any(index, first_cell, first_cell + BLOCK_CELLS):
                lesson.interrupt()
                segment = heard.segment
            if not held_out.has_any(index, first_cell, first_cell + BLOCK_CELLS):
                lesson.add(heard.block)
        lesson.interrupt()
