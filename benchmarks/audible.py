"""Check that a recording has any sound, without a bundle: before background or a change is added to what may be silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.clips import CHANNEL
from benchmarks.datasets.manifest import Unit
from calibrate.left_out import Sieve
from calibrate.settings import HOP_S, WINDOW_S
from edge.audio.audio_file import read_blocks
from edge.audio.gaps import Gaps
from edge.errors import AudioError
from edge.judgement.window_scorer import HEARD_FRACTION
from edge.scoring import TOO_SILENT, long_enough


def check_audible(path: Path) -> None:
    """Read a recording to its end.

    Raises
    ------
    AudioError
        When it is unreadable, damaged, too short, or so silent that no window of it would get a score.
    """
    info = long_enough(path)
    gaps = Gaps(info.rate_hz)
    end_s, heard_s = [0.0], [0.0]  # of every stretch of sound or of none: when it ends, and how much was heard until then

    def add(samples: int, heard: bool) -> None:
        end_s.append(end_s[-1] + samples / info.rate_hz)
        heard_s.append(heard_s[-1] + (samples / info.rate_hz if heard else 0.0))

    for block in read_blocks(path, CHANNEL):
        for part in gaps.push(block):
            add(part if isinstance(part, int) else len(part), not isinstance(part, int))
    add(len(gaps.flush()), True)
    window_s = min(WINDOW_S, end_s[-1])
    start_s = np.append(np.arange(0.0, end_s[-1] - window_s, HOP_S), end_s[-1] - window_s)  # (window,)
    within_s = np.interp(start_s + window_s, end_s, heard_s) - np.interp(start_s, end_s, heard_s)
    if within_s.max() < HEARD_FRACTION * window_s - 1e-9:
        raise AudioError(path, TOO_SILENT)


def audible_unit(unit: Unit, sieve: Sieve) -> Unit:
    """Return a unit without the recordings that contain no sound."""

    def audible(paths: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in paths:
            with sieve.passing(path):
                check_audible(path)
        return tuple(path for path in paths if not sieve.holds(path))

    return replace(unit, fit=audible(unit.fit), normal=audible(unit.normal), anomalous=audible(unit.anomalous))
