"""Every payload that Auscult publishes (DESIGN section 7) and how windows and events become payloads.

A field never leaves a payload within a schema version, and every field is always there: what is unknown is null, never left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edge.event import Event, EventType
from edge.window import Localization, Region, Window

SCHEMA_VERSION: Final = 1
Schema = Literal[1]

Timestamp = Annotated[
    str,
    Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="UTC, milliseconds", extra_json_schema={"format": "date-time"}),
]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Sha256 = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]

Status = Literal["online", "offline"]
State = Literal["ON", "OFF"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

Stamp = Callable[[float], str]
"""Turns seconds of a stream into a timestamp."""


class RegionPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A region of time and frequency; times count from `t_start` of the window or event."""

    t0_s: float
    t1_s: float
    f_lo_hz: float
    f_hi_hz: float
    score: float | None


class LocalizationPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a window the anomaly is; a time score is null where audio was lost."""

    cell_s: float
    time_scores: list[float | None]
    regions: list[RegionPayload]


class ScorePayload(msgspec.Struct, frozen=True, kw_only=True):
    """One window: `<source>/score`. The score is null when too much audio was lost to say; 1.0 is the alarm threshold."""

    schema: Schema
    source: str
    t_start: Timestamp
    t_end: Timestamp
    score: float | None
    p_value: Fraction | None
    anomalous: bool
    heads: dict[str, float | None]
    lost_s: float
    latency_ms: float
    localization: LocalizationPayload


class EventPayload(msgspec.Struct, frozen=True, kw_only=True):
    """One message about an event: `<source>/event`. `id` is the same for all messages of one event; `seq` has no gaps per source."""

    schema: Schema
    id: Annotated[str, Meta(pattern="^[0-9A-HJKMNP-TV-Z]{26}$", description="ULID")]
    seq: Count
    type: EventType
    source: str
    t_start: Timestamp
    t_end: Timestamp
    peak_score: float | None
    p_value: Fraction | None
    regions: list[RegionPayload]
    detector: str
    bundle: Sha256
    lost_s: float
    clock_synced: bool | None
    replayed: bool
    clip: str | None


class LevelPayload(msgspec.Struct, frozen=True, kw_only=True):
    """One second of loudness: `<source>/level`. dBFS is null, not 0, on a dead signal."""

    schema: Schema
    source: str
    t: Timestamp
    dbfs: float | None
    peak_dbfs: float | None
    clipped_fraction: Fraction


class ThresholdPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What score 1.0 promises: the false alarms per week asked for, and what the recordings support."""

    false_alarms_per_week: float | None
    supported_false_alarms_per_week: float | None
    note: str


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What listens to one machine."""

    device: str
    rate_hz: Count
    bundle: Sha256
    detector: str
    backbone: str
    calibrated_at: str
    threshold: ThresholdPayload


class InfoPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What runs on the node: `info`."""

    schema: Schema
    node: str
    version: str
    started_at: Timestamp
    sources: dict[str, SourceInfo]


class OutboxPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Event messages that wait for the broker, and how many were given up for lack of room."""

    depth: Count
    oldest_age_s: float | None
    dropped: Count


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one source fares, since the start of the daemon."""

    availability: Status
    xruns: Count
    lost_s: float
    lag_s: float | None


class HealthPayload(msgspec.Struct, frozen=True, kw_only=True):
    """How the node fares: `health`. Null is what this device cannot tell."""

    schema: Schema
    t: Timestamp
    uptime_s: float
    clock_synced: bool | None
    xruns: Count
    lost_s: float
    lag_s: float | None
    inference_p50_ms: float | None
    inference_p95_ms: float | None
    rss_mb: float | None
    temperature_c: float | None
    throttled: bool | None
    disk_free_fraction: Fraction | None
    outbox: OutboxPayload
    sources: dict[str, SourceHealth]


def timestamp(epoch_s: float) -> str:
    """Return seconds since 1970 as `2026-11-20T10:00:00.000Z`."""
    # isoformat cuts off instead of rounding, so whole milliseconds go in.
    moment = _EPOCH + timedelta(milliseconds=round(epoch_s * 1000.0))
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def rounded(value: float | None, digits: int) -> float | None:
    """Return `value` with `digits` decimals; None for what is not a number, which JSON cannot say."""
    return round(float(value), digits) if value is not None and math.isfinite(value) else None


def probability(value: float | None) -> float | None:
    """Return a probability with three significant digits: the difference between 1e-5 and 1e-7 matters."""
    return float(f"{min(max(value, 0.0), 1.0):.3g}") if value is not None and math.isfinite(value) else None


def _regions(regions: Iterable[Region]) -> list[RegionPayload]:
    return [
        RegionPayload(
            t0_s=round(region.t0_s, 3),
            t1_s=round(region.t1_s, 3),
            f_lo_hz=round(region.f_lo_hz, 1),
            f_hi_hz=round(region.f_hi_hz, 1),
            score=rounded(region.score, 4),
        )
        for region in regions
    ]


def localization_payload(localization: Localization) -> LocalizationPayload:
    """Return what is told of where an anomaly is."""
    return LocalizationPayload(
        cell_s=round(localization.cell_s, 6),
        time_scores=[rounded(value, 3) for value in localization.time_scores.tolist()],
        regions=_regions(localization.regions),
    )


def score_payload(source: str, window: Window, stamp: Stamp, latency_ms: float) -> ScorePayload:
    """Return what is published of a window."""
    return ScorePayload(
        schema=SCHEMA_VERSION,
        source=source,
        t_start=stamp(window.t_start_s),
        t_end=stamp(window.t_end_s),
        score=rounded(window.score, 4),
        p_value=probability(window.p_value),
        anomalous=bool(window.anomalous),
        heads={name: rounded(score, 4) for name, score in window.heads.items()},
        lost_s=round(window.lost_s, 3),
        latency_ms=round(latency_ms, 1),
        localization=localization_payload(window.localization),
    )


def event_payload(source: str, event: Event, stamp: Stamp, detector: str, bundle_sha256: str, clock_synced: bool | None) -> EventPayload:
    """Return what is published of an event."""
    return EventPayload(
        schema=SCHEMA_VERSION,
        id=event.id,
        seq=event.seq,
        type=event.type,
        source=source,
        t_start=stamp(event.t_start_s),
        t_end=stamp(event.t_end_s),
        peak_score=rounded(event.peak_score, 4),
        p_value=probability(event.p_value),
        regions=_regions(event.regions),
        detector=detector,
        bundle=f"sha256:{bundle_sha256}",
        lost_s=round(event.lost_s, 3),
        clock_synced=clock_synced,
        replayed=False,
        clip=None,
    )


def encode(payload: msgspec.Struct) -> bytes:
    """Return a payload as JSON."""
    return msgspec.json.encode(payload)
