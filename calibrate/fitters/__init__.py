"""Fitters: normal recordings in, a detector out. One file each; `edge/detectors/` holds the file of the same name that scores.

A new one is a settings class in this table. Its file is imported for `--help`, so it imports torch, through export, where it fits.
"""

from __future__ import annotations

from calibrate.fitters.auddsr import AudDsrSettings
from calibrate.fitters.autoencoder import AutoencoderSettings
from calibrate.fitters.cfa import CfaSettings
from calibrate.fitters.fitter import FitterSettings
from calibrate.fitters.padim import PadimSettings
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.fitters.stfpm import StfpmSettings

FITTERS: dict[str, type[FitterSettings]] = {
    settings.detector: settings
    for settings in (PatchCoreSettings, PadimSettings, CfaSettings, AutoencoderSettings, AudDsrSettings, StfpmSettings)
}
