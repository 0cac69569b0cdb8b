"""Detectors: features in, deviation per cell out. One file each; `calibrate/fitters/` holds the file of the same name that fits it."""

from __future__ import annotations

from edge.detectors.auddsr import AudDsr
from edge.detectors.autoencoder import Autoencoder
from edge.detectors.cfa import Cfa
from edge.detectors.detector import Detector
from edge.detectors.padim import Padim
from edge.detectors.patchcore import PatchCore
from edge.detectors.stfpm import Stfpm
from edge.errors import BundleError

DETECTORS: dict[str, type[Detector]] = {
    "patchcore": PatchCore,
    "padim": Padim,
    "cfa": Cfa,
    "autoencoder": Autoencoder,
    "auddsr": AudDsr,
    "stfpm": Stfpm,
}


def detector_named(name: str, subject: object) -> type[Detector]:
    """The detector called `name`, which the bundle `subject` needs; BundleError when this version has none."""
    if name not in DETECTORS:
        raise BundleError(subject, f"needs the unknown detector {name!r}; this version has {', '.join(DETECTORS)}: upgrade Auscult")
    return DETECTORS[name]
