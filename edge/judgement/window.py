"""The pipeline's result for one window of sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_S, HOP_S = 10.0, 0.5  # unless a bundle says otherwise
ALARM = 1.0  # scores are in units of the alarm threshold


@dataclass(frozen=True, slots=True)
class Region:
    """A patch of time and frequency that sounds wrong; times count from the start of the window or event that holds it."""

    t0_s: float
    t1_s: float
    f_lo_hz: float
    f_hi_hz: float
    score: float


@dataclass(frozen=True, slots=True)
class Localization:
    """Where in a window the anomaly is."""

    cell_s: float
    time_scores: NDArray[np.float32]  # (time,) highest cell score per cell column; NaN where audio was lost
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """One scored span of a stream. Times are seconds of the stream, which starts at 0 and counts lost audio."""

    t_start_s: float
    t_end_s: float
    score: float | None  # 1.0 is the alarm threshold; None when too much audio was lost to say
    p_value: float | None
    anomalous: bool
    heads: dict[str, float]  # what each head adds to the score; all together they are the score
    lost_s: float
    localization: Localization
    surprise: float | None = None  # of all heads together, which the score is made of; it knows no threshold
    sure: bool = False  # so far above the threshold that one look is enough (`Threshold.sure_surprise`)
