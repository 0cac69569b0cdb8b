"""A span of windows above the threshold, as it is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.judgement.window import Region

EventType = Literal["opened", "updated", "closed"]


@dataclass(frozen=True, slots=True)
class Event:
    """One message about an event. Times are seconds of the stream; region times count from `t_start_s`."""

    id: str  # a ULID, the same for all messages of one event
    seq: int  # counts the messages of one source, without gaps
    type: EventType
    t_start_s: float
    t_end_s: float
    peak_score: float
    p_value: float
    regions: tuple[Region, ...]
    lost_s: float
