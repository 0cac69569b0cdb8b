"""Which system a benchmark measures: Auscult's defaults, or one that differs from them in what was asked for, for every set alike."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from calibrate.calibration import CalibrationSettings
from calibrate.detector_arguments import add_detector_arguments, fitter_settings
from edge.detectors.detector import LEVEL
from edge.errors import UserError
from edge.features.logmel_backbone import LOGMELS
from edge.judgement.heads import head_names


def add_system_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer what `auscult calibrate` offers about the detector."""
    add_detector_arguments(parser)
    parser.add_argument("--heads", nargs="+", default=[], metavar="HEAD", help="only these heads, such as logmel_moment (default: all)")


def system_settings(arguments: argparse.Namespace) -> CalibrationSettings:
    """Return the settings; recordings that cannot be learned from are left out. UserError when there is no head of a given name."""
    fitting = fitter_settings(arguments)
    bands = {feature: 1 if feature == LEVEL else 2 for feature in fitting.features}  # two stand for any number of them
    if arguments.backbone in LOGMELS:
        bands.pop("cnn14", None)
    heads = head_names(bands)
    for head in arguments.heads:
        if head not in heads:
            raise UserError(f"--heads {head}", f"no such head; there are {', '.join(heads)}")
    return CalibrationSettings(
        fitting=fitting, backbone=arguments.backbone, mode=arguments.mode, bad_recordings="drop", heads=tuple(arguments.heads)
    )


def system_document(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was measured, for the JSON."""
    fitting = fitter_settings(arguments)
    return {
        "detector": fitting.detector,
        "backbone": arguments.backbone or fitting.backbone,
        "mode": arguments.mode,
        **msgspec.to_builtins(fitting),
        "heads": arguments.heads,
    }
