"""Fitters: normal recordings in, a detector out. One file each; `edge/detectors/` holds the file of the same name that scores.

A new one is a settings class in this table. Its file is imported for `--help`, so it imports torch, through export, where it fits.
"""

from __future__ import annotations

from calibrate.fitters.fitter import FitterSettings
from calibrate.fitters.patchcore import PatchCoreSettings

FITTERS: dict[str, type[FitterSettings]] = {settings.detector: settings for settings in (PatchCoreSettings,)}
