"""Every payload that Auscult publishes (DESIGN section 7).

A field never leaves a payload within a schema version, and every field is always there: what is unknown is null, never left out.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edge.judgement.event import EventType
from edge.whole_text import whole

SCHEMA_VERSION: Final = 1
Schema = Literal[1]

Timestamp = Annotated[
    str,
    Meta(
        pattern=whole(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
        description="UTC, milliseconds",
        extra_json_schema={"format": "date-time"},
    ),
]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
EventId = Annotated[str, Meta(pattern=whole("[0-9A-HJKMNP-TV-Z]{26}"), description="ULID")]
Sha256 = Annotated[str, Meta(pattern=whole("sha256:[0-9a-f]{64}"))]

Status = Literal["online", "offline"]
State = Literal["ON", "OFF"]
SubscriptionState = Literal["waiting", "subscribed", "refused"]
ReloadResult = Literal["applied", "refused", "running"]
BrokerState = Literal["connecting", "connected", "away", "refused", "contested"]


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
    """One message about an event: `<source>/event`. `id` is the same for all messages of one event; `seq` counts those of a source.

    A message arrives at least once: what was seen before has a (`source`, `epoch`, `seq`) that was seen before. Within an epoch, gaps are
    what `health` counts as dropped; with a new one `seq` jumps ahead. Of the events of a source only the latest is open.
    """

    schema: Schema
    id: EventId
    epoch: str  # changes when nobody can say for certain how far an earlier run has counted: after a reboot, or damage
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
    replayed: bool  # not sent when it happened: it comes late, or for the second time
    interrupted: bool  # of `closed`: the daemon was killed or the source failed while the event was open; `t_end` is the last that is known
    clip: str | None  # of `closed`: the file on the node that has the sound, or will have it once the seconds after the event were heard


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
    threshold_factor: float  # 1 is the bundle's own threshold; a command has moved it to so many times that
    snoozed_until: Timestamp | None  # nothing is told of its events until then


class InfoPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What runs on the node: `info`."""

    schema: Schema
    node: str
    version: str
    started_at: Timestamp
    sources: dict[str, SourceInfo]


class OutboxPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Event messages that wait for the broker, and those that were given up since the start of the daemon."""

    depth: Count
    oldest_age_s: float | None
    dropped: Count  # for every reason: no room, too old, refused by the broker, lost with a damaged file
    expired: Count  # of these, too old
    refused: Count  # of these, refused by the broker
    waiting_bytes: Count
    durable: bool  # whether what waits survives a crash
    problem: str | None  # why not
    epoch: str  # of the event messages
    epoch_reason: str  # why it has begun


class BrokerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the broker; who reads this through the broker learns of the last trouble."""

    state: BrokerState
    since: Timestamp
    reason: str | None  # why there is no connection, or why the last one ended; null when there was never any trouble
    attempts: Count  # that failed since a connection last stood for half a minute
    connections: Count  # since the start of the daemon


class ReloadHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the last reload of the configuration went. One that was refused, or still runs after a minute, has changed nothing."""

    at: Timestamp
    result: ReloadResult
    problem: str | None  # why it was refused or is not over, and what to do


class CommandsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Commands over MQTT, since the start of the daemon."""

    state: SubscriptionState  # `refused`: the broker does not let us subscribe; `waiting`: there is no answer yet, or no connection
    reason: str | None  # why it was refused
    taken: Count
    refused: Count  # of these, answered with an error
    dropped: Count  # came too fast; without an answer


class ClipsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Clips of events, since the start of the daemon."""

    written: Count
    failed: Count  # could not be written
    deleted: Count  # to make room, or too old
    stored_bytes: Count
    problem: str | None  # why the last one could not be written


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one source fares, since the start of the daemon."""

    availability: Status
    reason: str | None  # why it is offline; null while it is online
    warnings: list[str]  # what should be mended although it is online
    xruns: Count
    lost_s: float  # of sound that nobody heard, whatever the cause
    shed_s: float  # of it, left out because inference was slower than the sound
    lag_s: float | None
    rate_hz: Count | None  # null until the device was first opened
    measured_rate_hz: float | None  # of a live source, against our clock; null for the first minute
    dbfs: float | None  # median of the last minute
    clipped_fraction: Fraction | None  # of the last minute
    snoozed_until: Timestamp | None  # nothing is told of its events until then


class HealthPayload(msgspec.Struct, frozen=True, kw_only=True):
    """How the node fares: `health`. Null is what this device cannot tell."""

    schema: Schema
    t: Timestamp
    uptime_s: float
    clock_synced: bool | None
    xruns: Count
    lost_s: float
    shed_s: float
    lag_s: float | None
    inference_p50_ms: float | None
    inference_p95_ms: float | None
    rss_mb: float | None
    temperature_c: float | None
    throttled: bool | None
    disk_free_fraction: Fraction | None
    outbox: OutboxPayload
    broker: BrokerHealth
    reload: ReloadHealth | None  # null when there was none since the start of the daemon
    commands: CommandsHealth | None  # null when they are off
    clips: ClipsHealth | None  # null when they are off
    sources: dict[str, SourceHealth]
