"""What calibration has found out besides the bundle: for whoever wants to see it, such as a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.checks import CheckedRecordings
from calibrate.steady import FittedSteady
from calibrate.unheard import UnheardSurprise
from edge.features.frontend import FrontEnd
from edge.judgement.fusion import Units
from edge.judgement.threshold import Threshold

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RecordingScore:
    """How anomalous a normal recording is to heads that had not heard it: its highest window."""

    score: float  # 1.0 is the alarm threshold
    at_s: float  # where that window begins
    by_moments: float  # what moments and single cells come to, in the same unit; the score is the root of the sum of both squares
    by_average: float  # what the average sound of the window comes to


@dataclass(frozen=True, slots=True)
class Profile:
    """What each band of the machine is like, and by how much normal windows are taken to vary."""

    centres_hz: Float64  # (band,)
    usual_db: Float64  # (band,) mean level
    spread_db: Float64  # (band,) one standard deviation


@dataclass(frozen=True, slots=True)
class Learned:
    """All of it."""

    checked: CheckedRecordings
    front_end: FrontEnd
    threshold: Threshold
    scores: Mapping[int, RecordingScore]  # by the number of the recording among those kept; without those that the detector knew
    profile: Profile | None  # None without heads of steady sound


def recording_scores(unheard: Sequence[UnheardSurprise], units: Units, threshold: Threshold, block_s: float) -> dict[int, RecordingScore]:
    """The highest window of every recording of which enough was new to the heads."""
    found = {}
    for one in unheard:
        surprises = one.surprise(units)
        highest = int(surprises.argmax())
        found[one.recording] = RecordingScore(
            score=threshold.score(float(surprises[highest])),
            at_s=one.first_blocks[highest] * block_s,
            by_moments=threshold.score(float(one.cells[highest]) / units.cells),
            by_average=threshold.score(float(one.steady[highest]) / units.steady),
        )
    return found


def profile_of(steady: FittedSteady | None) -> Profile | None:
    """The profile that the bundle judges by."""
    if steady is None or "profile_centre" not in steady.arrays:
        return None
    layout = steady.steady.sound.layout
    usual = slice(layout.bands, 2 * layout.bands)  # of three for each band: see edge/judgement/window_sound.py
    centre, scale = (np.asarray(steady.arrays[f"profile_{name}"], np.float64)[usual] for name in ("centre", "scale"))
    return Profile(layout.centres_hz, centre, scale)
