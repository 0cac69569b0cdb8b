"""Which system a benchmark measures: Auscult's defaults, or one that differs from them in what was asked for, for every set alike."""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.commands.arguments import count
from calibrate.calibration import CalibrationSettings
from calibrate.fitters.patchcore import PatchCoreSettings
from edge.detectors.patchcore import FEATURES
from edge.errors import UserError
from edge.features.backbone import DEFAULT_BACKBONE
from edge.features.logmel_backbone import LOGMEL
from edge.judgement.heads import head_names


def add_system_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer what `auscult calibrate` offers about the detector."""
    parser.add_argument(
        "--backbone", default=DEFAULT_BACKBONE, metavar="NAME_OR_ONNX", help="built-in name or exported file (default: %(default)s)"
    )
    parser.add_argument("--heads", nargs="+", default=[], metavar="HEAD", help="only these heads, such as logmel_moment (default: all)")
    parser.add_argument(
        "--coreset", type=count, default=PatchCoreSettings().coreset, metavar="N", help="patches kept per mel band (default: %(default)s)"
    )
    parser.add_argument(
        "--banks",
        choices=("per-band", "shared"),
        default=PatchCoreSettings().banks,
        help="one bank per mel band, or one for all as published (default: %(default)s)",
    )


def system_settings(arguments: argparse.Namespace) -> CalibrationSettings:
    """Return the settings; recordings that cannot be learned from are left out. UserError when there is no head of a given name."""
    bands = {feature: 1 if feature == "level" else 2 for feature in FEATURES}  # two stand for any number of them
    if arguments.backbone == LOGMEL:
        del bands["cnn14"]
    heads = head_names(bands)
    for head in arguments.heads:
        if head not in heads:
            raise UserError(f"--heads {head}", f"no such head; there are {', '.join(heads)}")
    patchcore = PatchCoreSettings(coreset=arguments.coreset, banks=arguments.banks, seed=arguments.seed)
    return CalibrationSettings(backbone=arguments.backbone, bad_recordings="drop", heads=tuple(arguments.heads), patchcore=patchcore)


def system_document(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was measured, for the JSON."""
    return {"backbone": arguments.backbone, "coreset": arguments.coreset, "banks": arguments.banks, "heads": arguments.heads}
