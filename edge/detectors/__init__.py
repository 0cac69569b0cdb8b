"""Detectors: features in, deviation per cell out. One file each; `calibrate/fitters/` holds the file of the same name that fits it."""

from __future__ import annotations

from edge.detectors.detector import Detector
from edge.detectors.patchcore import PatchCore
from edge.errors import BundleError

DETECTORS: dict[str, type[Detector]] = {"patchcore": PatchCore}


def detector_named(name: str, subject: object) -> type[Detector]:
    """The detector called `name`, which the bundle `subject` needs; BundleError when this version has none."""
    if name not in DETECTORS:
        raise BundleError(subject, f"needs the unknown detector {name!r}; this version has {', '.join(DETECTORS)}: upgrade Auscult")
    return DETECTORS[name]
