"""A trained student as a streaming network with its card, compared with torch like every exported backbone."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import msgspec

from edge.errors import AuscultError
from edge.features.frontend import FrontEnd
from export.exporter import Origin, build_models, card_of, rounded
from export.parity import Figures, check_bounds
from export.stfpm.lesson import Lesson
from export.trunk import Parameters, Precision

LOG = logging.getLogger("auscult.stfpm")
CLIPS = 16  # of up to 9.6 s: three in four calibrate int8, the others check it


@dataclass(frozen=True, slots=True)
class StudentNetwork:
    """What travels in a bundle."""

    model: bytes  # of the .onnx file
    card: bytes  # of the .json file


def student_network(
    parameters: Parameters, lesson: Lesson, precision: Precision, front_end: FrontEnd, bandwidth_hz: float, seed: int
) -> StudentNetwork:
    """Fold, quantize and check a student on the sound that it learned from; AuscultError when it streams something else than it learned.

    `precision` is best its teacher's: the probe of the bundle then tells of both whether a processor computes them as this one does. A
    student whose features int8 cannot hold, as after a few steps of training, stays fp32.
    """
    clips = lesson.clips(CLIPS, bandwidth_hz)
    check, calibration = clips[::4], [clip for index, clip in enumerate(clips) if index % 4] or clips
    heard = "normal recordings of one machine"
    origin = Origin("student", front_end, (heard,), (f"int8 ranges: {heard}",), "that of the recordings", seed)
    models, figures = build_models(parameters, origin, calibration, check)
    check_bounds(figures, origin.name, "fp32")
    if precision == "int8" and not _survives_int8(figures):
        LOG.warning("the student's features do not survive int8, so it stays fp32: 14 MB more and slower; more --stfpm-steps help")
        precision = "fp32"
    card = msgspec.structs.replace(card_of(models[precision], precision, origin), parity=rounded({"features": figures}))
    return StudentNetwork(models[precision], msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")


def _survives_int8(figures: Figures) -> bool:
    try:
        check_bounds(figures, "student")
    except AuscultError:
        return False
    return True
