"""What the node answers: one struct per verb. Every field is always there; of a command that failed all but `error` is null."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from edge.config.schema import Verb
from edge.mqtt.payloads import SCHEMA_VERSION, Count, EventId, Schema, SourceInfo, Timestamp

NotKept = Annotated[str, Meta(description="one line: it was carried out, and could not be kept for the next start")] | None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What all answers say."""

    schema: Schema
    transaction: str | int | None  # the command's
    status: Literal["ok", "error"]
    error: Annotated[str, Meta(description="one line: what is wrong, and what to do")] | None


class SnoozeResponse(Response, frozen=True, kw_only=True):
    """To `snooze`."""

    source: str | None
    snoozed_until: Timestamp | None  # null when the snooze is over
    warning: NotKept


class MarkResponse(Response, frozen=True, kw_only=True):
    """To `mark`: what is known of the event."""

    event: EventId | None
    verdict: Literal["false_alarm", "real"] | None
    source: str | None
    t_start: Timestamp | None
    peak_score: float | None


class ReloadResponse(Response, frozen=True, kw_only=True):
    """To `reload`, when it is done: what has changed, in words."""

    result: str | None


class RecalibrateResponse(Response, frozen=True, kw_only=True):
    """To `recalibrate-threshold`: the threshold before and after, in units of the bundle's own, and what it rests on."""

    source: str | None
    threshold_factor_before: float | None
    threshold_factor: float | None
    clipped: bool | None  # the sound asked for more than may be done without a new calibration
    false_alarms_per_week: float | None  # that the new threshold is set for
    supported_false_alarms_per_week: float | None  # that the sound can vouch for without extrapolation
    hours_heard: float | None  # with this bundle, of the last week
    hours_used: float | None
    false_alarms: Count | None  # events that were marked so: their sound counts as normal
    events_left_out: Count | None  # all others, marked real or not at all: their sound does not count
    note: str | None
    warning: NotKept


class SnapshotResponse(Response, frozen=True, kw_only=True):
    """To `snapshot`, when it is written."""

    source: str | None
    clip: str | None  # the file's name
    path: str | None  # on the node
    seconds: float | None
    rate_hz: Count | None


class InfoResponse(Response, frozen=True, kw_only=True):
    """To `info`."""

    node: str | None
    version: str | None
    uptime_s: float | None
    config: str | None  # the file's path on the node
    sources: dict[str, SourceInfo] | None


RESPONSES: Final[dict[Verb, type[Response]]] = {
    "snooze": SnoozeResponse,
    "mark": MarkResponse,
    "reload": ReloadResponse,
    "recalibrate-threshold": RecalibrateResponse,
    "snapshot": SnapshotResponse,
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
