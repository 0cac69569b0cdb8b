"""The system that a benchmark measures: Auscult's defaults, or other settings, the same for every set."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from calibrate.detector_arguments import add_detector_arguments, fitter_settings
from calibrate.settings import CalibrationSettings
from edge.detectors.detector import LEVEL
from edge.errors import UserError
from edge.features.logmel_backbone import LOGMELS
from edge.judgement.head_names import comparable_names
from edge.judgement.heads import Mode
from edge.judgement.steady import STEADY_HEADS


def add_system_arguments(parser: argparse.ArgumentParser, *, several: bool = False, mode: Mode = "stream") -> None:
    """Offer what `auscult calibrate` offers about the detector, or about several."""
    add_detector_arguments(parser, several=several, mode=mode)
    parser.add_argument("--heads", nargs="+", default=[], metavar="HEAD", help="only these heads, such as cnn14_moment (default: all)")


def system_settings(arguments: argparse.Namespace) -> CalibrationSettings:
    """Return the settings; recordings that cannot be learned from are left out. UserError when there is no head of a given name."""
    fitting = fitter_settings(arguments)
    bands = {feature: 1 if feature == LEVEL else 2 for feature in fitting.features}  # two stand for any number of them
    if arguments.backbone in LOGMELS:
        bands.pop("cnn14", None)
    heads = (*comparable_names(bands), *STEADY_HEADS)
    for head in arguments.heads:
        if head not in heads:
            raise UserError(f"--heads {head}", f"no such head; there are {', '.join(heads)}")
    return CalibrationSettings(
        fitting=fitting, backbone=arguments.backbone, mode=arguments.mode, bad_recordings="drop", heads=tuple(arguments.heads)
    )


def systems(arguments: argparse.Namespace) -> dict[str, argparse.Namespace]:
    """The arguments of each detector of a command that takes several, by its name."""
    names = (arguments.detector,) if isinstance(arguments.detector, str) else arguments.detector
    return {name: argparse.Namespace(**{**vars(arguments), "detector": name}) for name in names}


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
