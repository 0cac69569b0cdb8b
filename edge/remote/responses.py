"""The node's answers: one struct per verb. Every field is always present; if a command fails, all but `error` is null."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from edge.config.schema import Verb
from edge.mqtt.payloads import SCHEMA_VERSION, Count, EventId, Schema, SourceInfo, Timestamp

NotKept = Annotated[str, Meta(description="one line: it was carried out, but could not be saved for the next start")] | None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of all answers."""

    schema: Annotated[Schema, Meta(description="version of this schema")]
    transaction: Annotated[str | int | None, Meta(description="that of the command")]
    status: Annotated[Literal["ok", "error"], Meta(description="whether it was carried out")]
    error: Annotated[str, Meta(description="one line: what is wrong, and what to do")] | None


class SnoozeResponse(Response, frozen=True, kw_only=True):
    """The answer to `snooze`."""

    source: Annotated[str | None, Meta(description="name of the source")]
    snoozed_until: Annotated[Timestamp | None, Meta(description="end of the snooze; null when it is over")]
    warning: NotKept


class MarkResponse(Response, frozen=True, kw_only=True):
    """The answer to `mark`: what is known of the event."""

    event: Annotated[EventId | None, Meta(description="id of the event")]
    verdict: Annotated[Literal["false_alarm", "real", "clear"] | None, Meta(description="the verdict that was kept")]
    taught: Annotated[bool | None, Meta(description="whether what stood out in the event is known, and the verdict holds for its like")]
    source: Annotated[str | None, Meta(description="name of the source")]
    t_start: Annotated[Timestamp | None, Meta(description="start of the event")]
    peak_score: Annotated[float | None, Meta(description="highest score of the event")]


class ReloadResponse(Response, frozen=True, kw_only=True):
    """The answer to `reload`, which comes when the reload is done: what has changed, in words."""

    result: Annotated[str | None, Meta(description="what has changed, in words")]


class RecalibrateResponse(Response, frozen=True, kw_only=True):
    """The answer to `recalibrate-threshold`: the threshold before and after, in units of the bundle's own, and what it rests on."""

    source: Annotated[str | None, Meta(description="name of the source")]
    threshold_factor_before: Annotated[float | None, Meta(description="factor of the bundle's threshold before")]
    threshold_factor: Annotated[float | None, Meta(description="factor of the bundle's threshold now")]
    clipped: Annotated[bool | None, Meta(description="whether the sound asks for more than the factor allows: calibrate again")]
    false_alarms_per_week: Annotated[float | None, Meta(description="false alarms per week that the new threshold is set for")]
    supported_false_alarms_per_week: Annotated[
        float | None, Meta(description="false alarms per week that the sound supports without extrapolation")
    ]
    hours_heard: Annotated[float | None, Meta(description="hours of sound with this bundle in the last week")]
    hours_used: Annotated[float | None, Meta(description="hours of it that were used")]
    false_alarms: Annotated[Count | None, Meta(description="false alarms that could not be taught: their sound counts as normal")]
    events_left_out: Annotated[Count | None, Meta(description="all other events: their sound does not count")]
    note: Annotated[str | None, Meta(description="the same in words")]
    warning: NotKept


class SnapshotResponse(Response, frozen=True, kw_only=True):
    """The answer to `snapshot`, when it is written."""

    source: Annotated[str | None, Meta(description="name of the source")]
    clip: Annotated[str | None, Meta(description="name of the file")]
    path: Annotated[str | None, Meta(description="path of the file on the node")]
    seconds: Annotated[float | None, Meta(description="length of the clip")]
    rate_hz: Annotated[Count | None, Meta(description="sample rate of the clip")]


class WatchResponse(Response, frozen=True, kw_only=True):
    """The answer to `watch`."""

    source: Annotated[str | None, Meta(description="name of the source")]
    watched_until: Annotated[Timestamp | None, Meta(description="when `cells` end; null when they have ended")]


class RollbackResponse(Response, frozen=True, kw_only=True):
    """The answer to `rollback`; `learning` tells when the bundle is in force."""

    source: Annotated[str | None, Meta(description="name of the source")]
    version: Annotated[
        Count | None, Meta(description="version that is taken over now; null for the bundle of the configuration, or for none")
    ]


class AcceptResponse(Response, frozen=True, kw_only=True):
    """The answer to `accept`: it is learned from now on, and does not alarm any more when the next bundle knows it."""

    source: Annotated[str | None, Meta(description="name of the source")]


class InfoResponse(Response, frozen=True, kw_only=True):
    """The answer to `info`."""

    node: Annotated[str | None, Meta(description="name of the node")]
    version: Annotated[str | None, Meta(description="version of Auscult")]
    uptime_s: Annotated[float | None, Meta(description="seconds since the start of the daemon")]
    config: Annotated[str | None, Meta(description="path of `config.yaml` on the node")]
    sources: Annotated[dict[str, SourceInfo] | None, Meta(description="each source by name, as in the topic `info`")]


RESPONSES: Final[dict[Verb, type[Response]]] = {
    "snooze": SnoozeResponse,
    "mark": MarkResponse,
    "reload": ReloadResponse,
    "recalibrate-threshold": RecalibrateResponse,
    "snapshot": SnapshotResponse,
    "watch": WatchResponse,
    "rollback": RollbackResponse,
    "accept": AcceptResponse,
    "info": InfoResponse,
}


def done(verb: Verb, transaction: str | int | None, fields: dict[str, Any]) -> Response:
    """The answer to a command that was carried out; `fields` are those of the verb's own struct."""
    return RESPONSES[verb](schema=SCHEMA_VERSION, transaction=transaction, status="ok", error=None, **fields)


def failed(verb: str, transaction: str | int | None, error: str) -> Response:
    """The answer to a command that was not carried out, or to a verb that there is not."""
    kind = RESPONSES.get(verb, Response)  # type: ignore[call-overload]  # any text may come as a verb
    nothing: dict[str, Any] = dict.fromkeys(kind.__struct_fields__)
    said: dict[str, Any] = {**nothing, "schema": SCHEMA_VERSION, "transaction": transaction, "status": "error", "error": error}
    response: Response = kind(**said)
    return response
