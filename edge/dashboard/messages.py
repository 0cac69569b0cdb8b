"""What the page reads of the nodes' messages: as much as it shows, whatever version the node has.

A fleet is seldom of one version. So what an older node does not say is null here, and what a newer one adds is passed over; what the page
cannot do without is required, and everything has a bound: these messages come from whoever may publish.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edge.config.section import NAME_PATTERN
from edge.mqtt.payloads import EventId, Timestamp

MOST_SOURCES: Final = 100  # of one node
LONGEST_NAME: Final = 64
_NAME: Final = re.compile(NAME_PATTERN)

ShortText = Annotated[str, Meta(max_length=200)]
LongText = Annotated[str, Meta(max_length=2000)]
Name = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]
Hertz = Annotated[float, Meta(ge=0, le=1_000_000)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]
Stage = Literal["opened", "updated", "closed"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A message, or a part of one."""


class Region(Reading, frozen=True, kw_only=True):
    """Where in time and frequency; seconds count from `t_start`."""

    t0_s: Number
    t1_s: Number
    f_lo_hz: Hertz
    f_hi_hz: Hertz
    score: Number | None = None


class Localization(Reading, frozen=True, kw_only=True):
    """Of a window; the scores of its time steps are not shown."""

    regions: Annotated[list[Region], Meta(max_length=200)] = []


class Score(Reading, frozen=True, kw_only=True):
    """`<source>/score`."""

    t_start: Timestamp | None = None
    t_end: Timestamp
    score: Number | None
    anomalous: bool = False
    heads: Annotated[dict[ShortText, Number | None], Meta(max_length=40)] = {}
    lost_s: Number = 0.0
    localization: Localization = Localization()


class Event(Reading, frozen=True, kw_only=True):
    """`<source>/event`."""

    id: EventId
    type: Stage
    t_start: Timestamp
    t_end: Timestamp
    epoch: ShortText = ""
    seq: Annotated[int, Meta(ge=0, le=2**62)] = 0
    peak_score: Number | None = None
    p_value: Number | None = None
    regions: Annotated[list[Region], Meta(max_length=500)] = []
    detector: ShortText = ""
    bundle: ShortText = ""
    lost_s: Number = 0.0
    clock_synced: bool | None = None
    interrupted: bool = False
    clip: ShortText | None = None


class Level(Reading, frozen=True, kw_only=True):
    """`<source>/level`."""

    t: Timestamp
    dbfs: Number | None = None
    clipped_fraction: Number = 0.0


class Learning(Reading, frozen=True, kw_only=True):
    """`<source>/learning`, of a source that learns in place."""

    state: ShortText
    first_in_s: Number | None = None  # until the first bundle, while it listens
    reason: LongText | None = None  # why nothing is learned now
    problem: LongText | None = None  # why the last bundle could not be made
    learned_s: Number | None = None
    days: Number | None = None  # after which learning ends
    version: Number | None = None


class Threshold(Reading, frozen=True, kw_only=True):
    """What score 1.0 promises."""

    false_alarms_per_week: Number | None = None
    supported_false_alarms_per_week: Number | None = None
    note: LongText = ""


class SourceInfo(Reading, frozen=True, kw_only=True):
    """A source in `info`."""

    device: LongText = ""
    rate_hz: Number | None = None
    bundle: ShortText | None = None  # null, as what follows from it, while a source only listens
    detector: ShortText | None = None
    backbone: ShortText | None = None
    calibrated_at: ShortText | None = None
    threshold: Threshold | None = None
    threshold_factor: Number = 1.0


class Info(Reading, frozen=True, kw_only=True):
    """`info`."""

    sources: Annotated[dict[Name, SourceInfo], Meta(max_length=MOST_SOURCES)]
    version: ShortText = ""
    started_at: ShortText = ""


class SourceHealth(Reading, frozen=True, kw_only=True):
    """A source in `health`."""

    reason: LongText | None = None
    warnings: Annotated[list[LongText], Meta(max_length=50)] = []
    xruns: Number = 0
    lost_s: Number = 0.0
    shed_s: Number = 0.0
    lag_s: Number | None = None
    rate_hz: Number | None = None
    measured_rate_hz: Number | None = None
    dbfs: Number | None = None
    clipped_fraction: Number | None = None
    snoozed_until: Timestamp | None = None


class Outbox(Reading, frozen=True, kw_only=True):
    """The outbox in `health`."""

    depth: Number = 0
    dropped: Number = 0
    problem: LongText | None = None


class Commands(Reading, frozen=True, kw_only=True):
    """Commands in `health`; null there when they are off."""

    state: ShortText = ""
    reason: LongText | None = None


class Clips(Reading, frozen=True, kw_only=True):
    """Clips in `health`; null there when they are off."""

    problem: LongText | None = None


class Health(Reading, frozen=True, kw_only=True):
    """`health`."""

    t: Timestamp
    sources: Annotated[dict[Name, SourceHealth], Meta(max_length=MOST_SOURCES)]
    uptime_s: Number | None = None
    clock_synced: bool | None = None
    inference_p50_ms: Number | None = None
    inference_p95_ms: Number | None = None
    rss_mb: Number | None = None
    temperature_c: Number | None = None
    throttled: bool | None = None
    disk_free_fraction: Number | None = None
    outbox: Outbox = Outbox()
    commands: Commands | None = None
    clips: Clips | None = None


class Answer(Reading, frozen=True, kw_only=True):
    """`response/<verb>`: as much as every answer has, and what is kept of an answer to `mark`."""

    status: Literal["ok", "error"]
    transaction: Annotated[str, Meta(max_length=128)] | int | None = None
    error: LongText | None = None
    event: EventId | None = None
    source: Name | None = None
    verdict: Literal["false_alarm", "real"] | None = None


def is_name(text: str) -> bool:
    """Whether a node or a source may be called so."""
    return len(text) <= LONGEST_NAME and _NAME.search(text) is not None


def seconds(stamp: str) -> float:
    """Seconds since 1970 of a timestamp that fits `Timestamp`.

    Raises
    ------
    ValueError
        There is no such day or hour.
    """
    value = datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
    if not math.isfinite(value):
        raise ValueError(stamp)
    return value
