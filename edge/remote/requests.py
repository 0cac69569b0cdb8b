"""The requests that a node accepts: one struct per verb, and how a payload becomes one."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edge.config.schema import NAME_PATTERN, Verb
from edge.mqtt.payloads import EventId

MAXIMUM_BYTES: Final = 4096
LONGEST_SNOOZE_MIN: Final = 7 * 24 * 60
LONGEST_WATCH_S: Final = 300

Transaction = (
    Annotated[str, Meta(min_length=1, max_length=128, description="new for each command; the answer repeats it")]
    | Annotated[int, Meta(ge=-(2**53), le=2**53)]
    | None
)
SentAt = Annotated[datetime, Meta(tz=True, description="when it was sent, such as 2026-11-20T10:00:00Z; needed over MQTT 3.1.1 only")]
Source = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=64, description="a source's name")]
Note = Annotated[str, Meta(max_length=500)]
Rate = Annotated[float, Meta(gt=0, le=10_000)]


class CommandError(Exception):
    """A command that is not carried out; the text is the `error` of the answer, one line."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fields of all commands. The same `transaction` again, within ten minutes, is answered again and not carried out again.

    Over MQTT 3.1.1 both must be there, see `edge.remote.freshness`; over MQTT 5 `sent_at` says nothing.
    """

    transaction: Transaction = None
    sent_at: SentAt | None = None


class SnoozeRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Publish no event of a source for so many minutes. Its state stays `OFF`; scores continue."""

    source: Source
    minutes: Annotated[float, Meta(ge=0, le=LONGEST_SNOOZE_MIN), Meta(description="how long; 0 ends a snooze, a week is the longest")]
    note: Annotated[Note, Meta(description="your remark")] = ""


class MarkRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Say what an event was: sound like that of a false alarm does not alarm again. Kept in `marks.jsonl`."""

    event: Annotated[EventId, Meta(description="id of the event")]
    verdict: Annotated[
        Literal["false_alarm", "real", "clear"], Meta(description="what you found at the machine; `clear` takes back what was said before")
    ]
    note: Annotated[Note, Meta(description="your remark")] = ""


class ReloadRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Read `config.yaml` and the bundles again. The answer comes when it is done."""


class RecalibrateRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Set the threshold of a source from the sound of the last week."""

    source: Source
    false_alarms_per_week: Annotated[Rate | None, Meta(description="false alarms per week; without it, those of the calibration")] = None
    reset: Annotated[bool, Meta(description="`true` goes back to the bundle's own threshold")] = False


class SnapshotRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keep the last seconds of a source as a FLAC file on the node. Needs `clips.enabled`."""

    source: Source
    seconds: Annotated[float, Meta(ge=1, le=60), Meta(description="how many of the last seconds to keep, 60 at most")]


class WatchRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Publish the `cells` of a source for a while. Send it again before the end to keep watching."""

    source: Source
    seconds: Annotated[float, Meta(ge=0, le=LONGEST_WATCH_S), Meta(description="for how long, 300 at most; 0 ends it for all clients")]


class RollbackRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Go back to the bundle before the one that a source has learned last. Needs `learn` for the source."""

    source: Source


class AcceptRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Say that what a source has alarmed at for a quarter of an hour or longer is its new normal sound. Needs `learn` for the source."""

    source: Source


class InfoRequest(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ask what runs on the node: version, uptime, path of `config.yaml` and the sources."""


REQUESTS: Final[dict[Verb, type[Request]]] = {
    "snooze": SnoozeRequest,
    "mark": MarkRequest,
    "reload": ReloadRequest,
    "recalibrate-threshold": RecalibrateRequest,
    "snapshot": SnapshotRequest,
    "watch": WatchRequest,
    "rollback": RollbackRequest,
    "accept": AcceptRequest,
    "info": InfoRequest,
}

_EXAMPLES: Final[dict[Verb, str]] = {
    "snooze": '{"source": "pump1", "minutes": 60}',
    "mark": '{"event": "01HF...", "verdict": "false_alarm"}',
    "reload": "{}",
    "recalibrate-threshold": '{"source": "pump1"}',
    "snapshot": '{"source": "pump1", "seconds": 10}',
    "watch": '{"source": "pump1", "seconds": 60}',
    "rollback": '{"source": "pump1"}',
    "accept": '{"source": "pump1"}',
    "info": "{}",
}


_WORDS: Final = (  # of msgspec's messages
    (r"(?s)`str` matching regex.*26\}.*", "an event's id of 26 characters"),
    (r"(?s)`str` matching regex.*", "a name of letters, digits, _ and -"),
    (r"(?s)Object contains unknown field `(.*)`", r"unknown key '\1'"),
    (r"Object missing required field `(.*)`", r"the key '\1' is missing"),
    (r".*datetime.*", "expected a time such as 2026-11-20T10:00:00Z"),
    (r"`float`", "a number"),
    (r"`int \| str \| null`", "text or a whole number"),
    (r"`(str|str \| null)`", "text"),
    (r"`bool`", "true or false"),
    (r"`object`", "an object"),
    (r"`array`", "a list"),
    (r"`int`", "a whole number"),
    (r"`null`", "null"),
    (r", got ", ", found "),
    (r"`", ""),
)


class _Head(msgspec.Struct, frozen=True):
    """As much of a payload as an answer needs."""

    transaction: Transaction = None


def transaction_of(payload: bytes) -> str | int | None:
    """The transaction of a payload that may be anything; None when it cannot be made out."""
    if len(payload) > MAXIMUM_BYTES:
        return None
    try:
        return msgspec.json.decode(payload, type=_Head).transaction
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def parse_request(verb: Verb, payload: bytes) -> Request:
    """Check a payload that was sent to a verb's topic. An empty payload means `{}`.

    Raises
    ------
    CommandError
        Too large, no JSON, or not what the verb takes.
    """
    if len(payload) > MAXIMUM_BYTES:
        raise CommandError(f"the payload has more than {MAXIMUM_BYTES} bytes, and no more are accepted; send less")
    try:
        return msgspec.json.decode(payload or b"{}", type=REQUESTS[verb])
    except msgspec.ValidationError as error:
        raise CommandError(f"{_said(str(error))}; send something like {_EXAMPLES[verb]}") from error
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise CommandError(f"the payload is not JSON; send something like {_EXAMPLES[verb]}") from error


def _said(problem: str) -> str:
    """msgspec's complaint in our words, the key first: `minutes: expected a number, found text`."""
    what, _, place = problem.partition(" - at ")
    for pattern, ours in _WORDS:
        what = re.sub(pattern, ours, what)
    key = place.strip("`").removeprefix("$").removeprefix(".")
    line = f"{key}: {what[0].lower()}{what[1:]}" if key else what[0].lower() + what[1:]
    return "".join(character if character.isprintable() else "?" for character in line)[:300]
