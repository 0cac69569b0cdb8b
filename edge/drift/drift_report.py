"""How far the normal sound of a source has moved, and how fast it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DriftState = Literal["waiting", "steady", "drifting"]


@dataclass(frozen=True, slots=True)
class Slope:
    """Of one quantity: how far it is from the reference, and its slope per week with the ends of the 95 % interval; None while unknown."""

    moved: float | None = None
    per_week: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class BandDrift:
    """Neighbouring bands that drift alike; the slope is that of the fastest, in dB beside level and tilt."""

    f_lo_hz: float
    f_hi_hz: float
    slope: Slope


@dataclass(frozen=True, slots=True)
class DriftReport:
    """For the topic `drift`. Levels in dB."""

    state: DriftState
    reason: str | None  # why nothing is known, or cannot be kept
    t_s: float  # since 1970
    days: float = 0.0  # since the reference
    slope_days: int = 0  # that slopes are of
    level: Slope = Slope()
    tilt: Slope = Slope()
    is_level_told: bool = False
    is_tilt_told: bool = False
    bands: tuple[BandDrift, ...] = ()  # that drift
    heads: tuple[tuple[str, Slope], ...] = ()  # parts of the score
    weeks_to_alarm: tuple[float, float, float] | None = None  # and the ends of its interval
