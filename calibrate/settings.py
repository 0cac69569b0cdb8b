"""The settings of `auscult calibrate`, and what all bundles share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from calibrate.checks import BadRecordings, OddRecordings
from calibrate.fitters.fitter import FitterSettings
from calibrate.fitters.patchcore import PatchCoreSettings
from edge.audio.channels import Channel
from edge.judgement.heads import Mode
from edge.judgement.steady import SteadyLevel

WINDOW_S = 10.0
HOP_S = 0.5


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """What `auscult calibrate` may be told."""

    fitting: FitterSettings = field(default_factory=PatchCoreSettings)  # the detector, and what was chosen about it
    backbone: str | Path | None = None  # the detector's own choice if None
    mode: Mode = "stream"
    false_alarms_per_week: float = 1.0
    channel: Channel = 0
    bad_recordings: BadRecordings = "refuse"
    odd_recordings: OddRecordings = "keep"
    heads: tuple[str, ...] = ()  # only these, for comparisons; all of them if empty
    level: SteadyLevel = "absolute"  # relative: how loud the machine is does not count
    threads: int = 1
    created_at: datetime | None = None  # stands in the bundle; the moment of writing if None, and then no two bundles are the same


def with_seed(settings: CalibrationSettings, seed: int) -> CalibrationSettings:
    """The same settings with another seed."""
    return replace(settings, fitting=replace(settings.fitting, seed=seed))  # type: ignore[type-var]  # all of them are dataclasses
