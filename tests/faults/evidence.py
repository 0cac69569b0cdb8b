"""What is known of a run when it is over."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.faults.recorder import Arrival
from tests.faults.scene import Track
from tests.faults.schedule import Kind
from tests.faults.watched import Life


@dataclass(frozen=True, slots=True)
class PlayedTrack:
    """What one source was played."""

    track: Track
    zero_s: float  # when it began
    silent: tuple[tuple[float, float], ...]  # when nothing was played


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a run afterwards. Times are those of the pace."""

    speed: float
    played: tuple[PlayedTrack, ...]
    lives: tuple[Life, ...]
    arrivals: tuple[Arrival, ...]  # of events
    scores: int  # that arrived
    sessions_lost: int
    troubles: Counter[Kind]
    disk: str
    exit_code: int
    seconds: float
