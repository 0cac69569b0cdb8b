"""Every payload that Auscult publishes (DESIGN section 7).

A field never leaves a payload within a schema version, and every field is always there: what is unknown is null, never left out.
The descriptions stand in `auscult schema` and in the reference of docs/alerts.md.
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

    t0_s: Annotated[float, Meta(description="start, in seconds after `t_start`")]
    t1_s: Annotated[float, Meta(description="end, in seconds after `t_start`")]
    f_lo_hz: Annotated[float, Meta(description="lowest frequency")]
    f_hi_hz: Annotated[float, Meta(description="highest frequency")]
    score: Annotated[float | None, Meta(description="highest score in the region")]


class LocalizationPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a window the anomaly is; a time score is null where audio was lost."""

    cell_s: Annotated[float, Meta(description="length of one time step")]
    time_scores: Annotated[list[float | None], Meta(description="score of each time step; null where audio was lost")]
    regions: Annotated[list[RegionPayload], Meta(description="regions of time and frequency that stand out")]


class ScorePayload(msgspec.Struct, frozen=True, kw_only=True):
    """One window: `<source>/score`. Without a score if too much audio was lost, or while the source only listens; 1.0 is the threshold."""

    schema: Annotated[Schema, Meta(description="version of this schema")]
    source: Annotated[str, Meta(description="name of the source")]
    t_start: Annotated[Timestamp, Meta(description="start of the window")]
    t_end: Annotated[Timestamp, Meta(description="end of the window")]
    score: Annotated[
        float | None,
        Meta(
            description="1.0 is the alarm threshold, higher is more anomalous; null when too much audio was lost, and while the source has "
            "no bundle yet"
        ),
    ]
    p_value: Annotated[Fraction | None, Meta(description="probability of such a score in normal sound")]
    anomalous: Annotated[bool, Meta(description="whether the score is above the threshold")]
    heads: Annotated[dict[str, float | None], Meta(description="the part of the score that each head accounts for")]
    lost_s: Annotated[float, Meta(description="seconds of audio that were lost in the window")]
    latency_ms: Annotated[float, Meta(description="from the end of the window to its score")]
    localization: Annotated[LocalizationPayload, Meta(description="where in the window the anomaly is")]


class EventPayload(msgspec.Struct, frozen=True, kw_only=True):
    """One message about an event: `<source>/event`. `id` is the same for all messages of one event; `seq` counts those of a source.

    A message arrives at least once: what was seen before has a (`source`, `epoch`, `seq`) that was seen before. Within an epoch, gaps are
    what `health` counts as dropped; with a new one `seq` jumps ahead. Of the events of a source only the latest is open.
    """

    schema: Annotated[Schema, Meta(description="version of this schema")]
    id: Annotated[EventId, Meta(description="the same in all messages of one event (ULID)")]
    epoch: Annotated[str, Meta(description="changes when the last `seq` of an earlier run is not known for certain")]
    seq: Annotated[Count, Meta(description="number of the message; grows for each source within an epoch")]
    type: Annotated[EventType, Meta(description="`opened`, `updated` or `closed`")]
    source: Annotated[str, Meta(description="name of the source")]
    t_start: Annotated[Timestamp, Meta(description="start of the event")]
    t_end: Annotated[Timestamp, Meta(description="end of the event so far")]
    peak_score: Annotated[float | None, Meta(description="highest score so far")]
    p_value: Annotated[Fraction | None, Meta(description="probability of the peak score in normal sound")]
    regions: Annotated[list[RegionPayload], Meta(description="regions of time and frequency that stand out")]
    detector: Annotated[str, Meta(description="detector of the bundle")]
    bundle: Annotated[Sha256, Meta(description="SHA-256 of the bundle")]
    lost_s: Annotated[float, Meta(description="seconds of audio that were lost during the event")]
    clock_synced: Annotated[bool | None, Meta(description="whether the clock was synchronised when the event opened; null when unknown")]
    replayed: Annotated[bool, Meta(description="the message is late, or may have been sent before")]
    interrupted: Annotated[
        bool, Meta(description="in `closed`: the daemon was killed or the source failed during the event; `t_end` is the last known time")
    ]
    clip: Annotated[str | None, Meta(description="in `closed`: file name of the clip on the node; null without one")]


class LevelPayload(msgspec.Struct, frozen=True, kw_only=True):
    """One second of loudness: `<source>/level`. dBFS is null, not 0, on a dead signal."""

    schema: Annotated[Schema, Meta(description="version of this schema")]
    source: Annotated[str, Meta(description="name of the source")]
    t: Annotated[Timestamp, Meta(description="end of the second")]
    dbfs: Annotated[float | None, Meta(description="loudness (RMS); null, not 0, on a dead signal")]
    peak_dbfs: Annotated[float | None, Meta(description="highest sample")]
    clipped_fraction: Annotated[Fraction, Meta(description="fraction of samples at full scale")]


class CellsPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Some steps of the live picture of a source: `<source>/cells`.

    Each step begins where the last one ended, also across messages, unless sound or a message was lost.
    """

    schema: Annotated[Schema, Meta(description="version of this schema")]
    source: Annotated[str, Meta(description="name of the source")]
    t_start: Annotated[Timestamp, Meta(description="start of the first step")]
    step_s: Annotated[float, Meta(description="length of one step: a little more than half a second")]
    steps: Annotated[
        Count,
        Meta(description="number of steps: usually two, one before a gap; the first message of a stream has its whole first window"),
    ]
    band_edges_hz: Annotated[list[float], Meta(min_length=17, max_length=17, description="edges of the 16 bands")]
    level_min_db: Annotated[float, Meta(description="level in dBFS = `level_min_db` + value * `level_step_db`")]
    level_step_db: Annotated[float, Meta(description="see `level_min_db`")]
    level: Annotated[
        bytes,
        Meta(
            description="mean level of each band in each step, one byte each: 16 of the first step from the lowest band up, then 16 of the "
            "next; 255 where nothing was heard, and in bands above the bandwidth of the source"
        ),
    ]
    anomaly_step: Annotated[float, Meta(description="anomaly = value * `anomaly_step`; 1.0 is the threshold")]
    anomaly: Annotated[
        bytes,
        Meta(
            description="highest cell of the anomaly map in each band and step, laid out like `level`; 254: that or more; 255: not judged"
        ),
    ]


class ThresholdPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What score 1.0 promises: the false alarms per week asked for, and what the recordings support."""

    false_alarms_per_week: Annotated[float | None, Meta(description="false alarms per week that the threshold is set for")]
    supported_false_alarms_per_week: Annotated[
        float | None, Meta(description="false alarms per week that the recordings support without extrapolation")
    ]
    note: Annotated[str, Meta(description="the same in words")]


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What listens to one machine."""

    device: Annotated[str, Meta(description="the microphone, file or stream")]
    rate_hz: Annotated[Count, Meta(description="sample rate of the device")]
    bundle: Annotated[
        Sha256 | None, Meta(description="SHA-256 of the bundle; null, as what follows from it, while the source only listens")
    ]
    detector: Annotated[str | None, Meta(description="detector of the bundle")]
    backbone: Annotated[str | None, Meta(description="backbone of the bundle")]
    calibrated_at: Annotated[str | None, Meta(description="when the bundle was made")]
    threshold: Annotated[ThresholdPayload | None, Meta(description="what score 1.0 promises")]
    threshold_factor: Annotated[float, Meta(description="1 for the bundle's own threshold; `recalibrate-threshold` changes it")]
    snoozed_until: Annotated[Timestamp | None, Meta(description="no event is published before this time; null without a snooze")]


class InfoPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What runs on the node: `info`."""

    schema: Annotated[Schema, Meta(description="version of this schema")]
    node: Annotated[str, Meta(description="name of the node")]
    version: Annotated[str, Meta(description="version of Auscult")]
    started_at: Annotated[Timestamp, Meta(description="start of the daemon")]
    sources: Annotated[dict[str, SourceInfo], Meta(description="each source by name")]


class OutboxPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Event messages that wait for the broker, and those that were given up since the start of the daemon."""

    depth: Annotated[Count, Meta(description="event messages that wait for the broker")]
    oldest_age_s: Annotated[float | None, Meta(description="age of the oldest of them")]
    dropped: Annotated[Count, Meta(description="messages that were given up, for any reason")]
    expired: Annotated[Count, Meta(description="of the dropped, too old")]
    refused: Annotated[Count, Meta(description="of the dropped, refused by the broker")]
    waiting_bytes: Annotated[Count, Meta(description="size of what waits")]
    durable: Annotated[bool, Meta(description="whether what waits survives a crash")]
    problem: Annotated[str | None, Meta(description="why it does not; null when it does")]
    epoch: Annotated[str, Meta(description="epoch of the event messages")]
    epoch_reason: Annotated[str, Meta(description="why this epoch began")]


class BrokerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the broker; who reads this through the broker learns of the last trouble."""

    state: Annotated[BrokerState, Meta(description="state of the connection")]
    since: Annotated[Timestamp, Meta(description="when this state began")]
    reason: Annotated[
        str | None, Meta(description="why there is no connection, or why the last one ended; null if there was never trouble")
    ]
    attempts: Annotated[Count, Meta(description="failed attempts since a connection last held for half a minute")]
    connections: Annotated[Count, Meta(description="connections since the start of the daemon")]


class ReloadHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the last reload of the configuration went. One that was refused, or still runs after a minute, has changed nothing."""

    at: Annotated[Timestamp, Meta(description="when this was known")]
    result: Annotated[ReloadResult, Meta(description="`running`: not finished after a minute; a refused reload changes nothing")]
    problem: Annotated[str | None, Meta(description="why it was refused or is not finished, and what to do")]


class CommandsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Commands over MQTT, since the start of the daemon."""

    state: Annotated[
        SubscriptionState,
        Meta(description="`refused`: the broker does not let the node subscribe; `waiting`: no answer or no connection yet"),
    ]
    reason: Annotated[str | None, Meta(description="why it was refused")]
    taken: Annotated[Count, Meta(description="commands received")]
    refused: Annotated[Count, Meta(description="of these, answered with an error")]
    dropped: Annotated[Count, Meta(description="came too fast; not answered")]


class ClipsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Clips of events, since the start of the daemon."""

    written: Annotated[Count, Meta(description="clips written")]
    failed: Annotated[Count, Meta(description="clips that could not be written")]
    deleted: Annotated[Count, Meta(description="clips deleted because of age or space")]
    stored_bytes: Annotated[Count, Meta(description="size of all clips")]
    problem: Annotated[str | None, Meta(description="why the last one could not be written")]


class LearnedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle that was made of what was learned."""

    version: Annotated[Count, Meta(description="number of the version")]
    bundle: Annotated[Sha256, Meta(description="SHA-256 of the bundle")]
    made_at: Annotated[Timestamp, Meta(description="when it was made")]
    learned_s: Annotated[float, Meta(description="seconds of normal sound that were learned by then")]
    supported_false_alarms_per_week: Annotated[
        float | None, Meta(description="false alarms per week that this sound supports without extrapolation")
    ]


class LearningPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Learning in place from one source: `<source>/learning`, retained. It is empty when the source learns no more."""

    schema: Annotated[Schema, Meta(description="version of this schema")]
    source: Annotated[str, Meta(description="name of the source")]
    t: Annotated[Timestamp, Meta(description="time of the report")]
    state: Annotated[
        Literal["listening", "watching", "settled"],
        Meta(
            description="`listening`: there is no bundle yet, and no alarm; `watching`: better bundles are to come; `settled`: learning is "
            "over or frozen"
        ),
    ]
    first_in_s: Annotated[
        float | None, Meta(description="about how many seconds of sound are wanting for the first bundle; null when it is there")
    ]
    reason: Annotated[str | None, Meta(description="why nothing is learned now; null while normal sound is kept")]
    problem: Annotated[str | None, Meta(description="why the last bundle could not be made")]
    learned_s: Annotated[float, Meta(description="seconds of normal sound in the store")]
    days: Annotated[float, Meta(description="days of it after which learning ends")]
    next_at_learned_s: Annotated[float | None, Meta(description="seconds of it at which the next bundle is made; null when it is over")]
    supported_false_alarms_per_week: Annotated[
        float | None, Meta(description="false alarms per week that the bundle in force supports without extrapolation")
    ]
    supported_at_end_per_week: Annotated[float | None, Meta(description="the same of the last bundle, after `days`")]
    bundle: Annotated[Sha256 | None, Meta(description="SHA-256 of the bundle in force; null while it listens")]
    version: Annotated[Count | None, Meta(description="its version; null for the bundle of the configuration, and for none")]
    versions: Annotated[list[LearnedVersion], Meta(description="the versions that are kept, the oldest first")]
    asks: Annotated[bool, Meta(description="whether it has alarmed for so long that somebody should say if this is its new normal")]
    marks: Annotated[list[EventId], Meta(description="the marked events that teach, whichever version is in force")]


class SlopePayload(msgspec.Struct, frozen=True, kw_only=True):
    """How far a level has moved, and how fast it moves."""

    moved_db: Annotated[float | None, Meta(description="the last day against the reference, at the same regime and time of day")]
    db_per_week: Annotated[float | None, Meta(description="slope; null while there are too few days")]
    low_db_per_week: Annotated[float | None, Meta(description="lower end of its 95 % interval")]
    high_db_per_week: Annotated[float | None, Meta(description="upper end of it")]


class BandDriftPayload(SlopePayload, frozen=True, kw_only=True):
    """A band that drifts; its level counts beside that of the whole spectrum."""

    f_lo_hz: Annotated[float, Meta(description="lowest frequency")]
    f_hi_hz: Annotated[float, Meta(description="highest frequency")]


class HeadDriftPayload(msgspec.Struct, frozen=True, kw_only=True):
    """How the part of the score that a head accounts for moves, of normal windows."""

    per_week: Annotated[float | None, Meta(description="slope of its median; null while there are too few days with this bundle")]
    low_per_week: Annotated[float | None, Meta(description="lower end of its 95 % interval")]
    high_per_week: Annotated[float | None, Meta(description="upper end of it")]


class WeeksPayload(msgspec.Struct, frozen=True, kw_only=True):
    """When half of all windows reach 1.0 at this rate."""

    weeks: Annotated[float, Meta(description="from now")]
    low: Annotated[float, Meta(description="at the upper end of the interval of the fastest band")]
    high: Annotated[float, Meta(description="at its lower end")]


class DriftPayload(msgspec.Struct, frozen=True, kw_only=True):
    """How the normal sound of a source moves: `<source>/drift`, once an hour, retained."""

    schema: Annotated[Schema, Meta(description="version of this schema")]
    source: Annotated[str, Meta(description="name of the source")]
    t: Annotated[Timestamp, Meta(description="end of the hour")]
    state: Annotated[
        Literal["waiting", "steady", "drifting"],
        Meta(description="`waiting`: too few days; `drifting`: a band, the level or the tilt moves"),
    ]
    reason: Annotated[str | None, Meta(description="why nothing is known yet")]
    days: Annotated[float, Meta(description="days since the reference")]
    slope_days: Annotated[Count, Meta(description="days that the slopes are of; 0 while there are too few")]
    level: Annotated[SlopePayload, Meta(description="all bands together")]
    level_drifts: Annotated[bool, Meta(description="whether the level is told as drift")]
    tilt: Annotated[SlopePayload, Meta(description="the highest band against the lowest")]
    tilt_drifts: Annotated[bool, Meta(description="whether the tilt is told as drift")]
    bands: Annotated[list[BandDriftPayload], Meta(description="bands that drift")]
    heads: Annotated[dict[str, HeadDriftPayload], Meta(description="the score, and the part of it that each head accounts for")]
    weeks_to_alarm: Annotated[WeeksPayload | None, Meta(description="null unless a band drifts and reaches 1.0 within half a year")]


class LearningHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Learning in place from one source."""

    state: Annotated[Literal["listening", "watching", "settled"], Meta(description="as in the topic `learning`")]
    learning: Annotated[bool, Meta(description="whether normal sound is kept; false also when it is over")]
    reason: Annotated[str | None, Meta(description="why it is not")]
    learned_s: Annotated[float, Meta(description="seconds of normal sound in the store")]
    stored_bytes: Annotated[Count, Meta(description="size of the store")]
    written_bytes: Annotated[Count, Meta(description="bytes that were written to it since the start of the daemon")]


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one source since the start of the daemon."""

    availability: Annotated[Status, Meta(description="`online` while plausible sound arrives")]
    reason: Annotated[str | None, Meta(description="why it is offline; null while it is online")]
    warnings: Annotated[list[str], Meta(description="what needs attention although the source is online")]
    xruns: Annotated[Count, Meta(description="buffer overruns of the device")]
    lost_s: Annotated[float, Meta(description="seconds of audio that were not scored, whatever the cause")]
    shed_s: Annotated[float, Meta(description="of these, left out because inference was slower than the sound")]
    lag_s: Annotated[float | None, Meta(description="how far scoring is behind the sound")]
    rate_hz: Annotated[Count | None, Meta(description="sample rate of the device; null before it was first opened")]
    measured_rate_hz: Annotated[
        float | None, Meta(description="sample rate of a live source, measured against the system's clock; null in the first minute")
    ]
    dbfs: Annotated[float | None, Meta(description="median loudness of the last minute")]
    clipped_fraction: Annotated[Fraction | None, Meta(description="fraction of samples at full scale in the last minute")]
    snoozed_until: Annotated[Timestamp | None, Meta(description="no event is published before this time; null without a snooze")]
    learning: Annotated[LearningHealth | None, Meta(description="learning in place; null when it is off")]
    drift: Annotated[
        Literal["waiting", "steady", "drifting"] | None,
        Meta(description="`state` of the topic `drift`; null when it is off or not known yet"),
    ]


class HealthPayload(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the node: `health`. Null if this device does not report it."""

    schema: Annotated[Schema, Meta(description="version of this schema")]
    t: Annotated[Timestamp, Meta(description="time of the report")]
    uptime_s: Annotated[float, Meta(description="seconds since the start of the daemon")]
    clock_synced: Annotated[bool | None, Meta(description="whether the system's clock is synchronised")]
    xruns: Annotated[Count, Meta(description="buffer overruns of all sources")]
    lost_s: Annotated[float, Meta(description="seconds of audio that were not scored, all sources")]
    shed_s: Annotated[float, Meta(description="of these, left out because inference was too slow")]
    lag_s: Annotated[float | None, Meta(description="largest lag of all sources")]
    inference_p50_ms: Annotated[float | None, Meta(description="median time of one inference")]
    inference_p95_ms: Annotated[float | None, Meta(description="95th percentile of it")]
    rss_mb: Annotated[float | None, Meta(description="memory of the daemon")]
    temperature_c: Annotated[float | None, Meta(description="temperature of the hottest sensor")]
    throttled: Annotated[bool | None, Meta(description="whether the board slows its processor down")]
    disk_free_fraction: Annotated[Fraction | None, Meta(description="free fraction of the disk with the outbox")]
    outbox: Annotated[OutboxPayload, Meta(description="event messages that wait")]
    broker: Annotated[BrokerHealth, Meta(description="the connection to the broker")]
    reload: Annotated[ReloadHealth | None, Meta(description="the last reload; null when there was none")]
    commands: Annotated[CommandsHealth | None, Meta(description="commands over MQTT; null when they are off")]
    clips: Annotated[ClipsHealth | None, Meta(description="clips of events; null when they are off")]
    sources: Annotated[dict[str, SourceHealth], Meta(description="each source by name")]
