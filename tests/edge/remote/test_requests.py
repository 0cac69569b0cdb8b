"""What a command's payload may be: what is accepted, and the message for each mistake."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.commands.schema import schema_document
from edge.config.schema import VERBS, Verb
from edge.remote.requests import MAXIMUM_BYTES, REQUESTS, CommandError, SnoozeRequest, parse_request, transaction_of

EVENT = "01HF0000000000000000000000"
GOOD: list[tuple[Verb, str]] = [
    ("snooze", '{"source": "pump1", "minutes": 60}'),
    ("snooze", '{"transaction": "a", "source": "pump1", "minutes": 0.5, "note": "oil change"}'),
    ("mark", f'{{"transaction": 7, "event": "{EVENT}", "verdict": "real"}}'),
    ("reload", "{}"),
    ("reload", ""),
    ("recalibrate-threshold", '{"source": "pump1", "false_alarms_per_week": 2}'),
    ("recalibrate-threshold", '{"source": "pump1", "reset": true}'),
    ("snapshot", '{"source": "pump1", "seconds": 10}'),
    ("watch", '{"source": "pump1", "seconds": 300}'),
    ("watch", '{"source": "pump1", "seconds": 0}'),
    ("rollback", '{"source": "pump1"}'),
    ("accept", '{"source": "pump1"}'),
    ("info", '{"transaction": null}'),
    ("info", '{"transaction": "a", "sent_at": "2026-11-20T10:00:00Z"}'),
    ("reload", '{"sent_at": "2026-11-20T12:00:00.5+02:00"}'),
]
BAD: list[tuple[Verb, bytes, str]] = [
    ("snooze", b'{"source": "pump1"}', "the key 'minutes' is missing; send something like"),
    ("snooze", b'{"source": "pump1", "minutes": "60"}', "minutes: expected a number, found text; send"),
    ("snooze", b'{"source": "pump1", "minutes": -1}', "minutes: expected a number >= 0.0; send"),
    ("snooze", b'{"source": "pump1", "minutes": 10081}', "minutes: expected a number <= 10080.0; send"),
    ("snooze", b'{"source": "pump1", "minutes": 1e999}', "minutes: number out of range; send"),
    ("snooze", b'{"source": "pump1", "minutes": NaN}', "the payload is not JSON; send"),
    ("snooze", b'{"source": "pump 1", "minutes": 1}', "source: expected a name of letters, digits, _ and -; send"),
    ("snooze", b'{"source": "pump1", "minutes": 1, "hours": 1}', "unknown key 'hours'; send"),
    ("mark", b'{"event": "1", "verdict": "real"}', "event: expected an event's id of 26 characters; send"),
    ("mark", b'{"event": "01HF0000000000000000000000", "verdict": "maybe"}', "verdict: invalid enum value 'maybe'; send"),
    ("recalibrate-threshold", b'{"source": "a", "false_alarms_per_week": 0}', "false_alarms_per_week: expected a number > 0.0; send"),
    ("snapshot", b'{"source": "a", "seconds": 61}', "seconds: expected a number <= 60.0; send"),
    ("watch", b'{"source": "a", "seconds": 301}', "seconds: expected a number <= 300.0; send something like"),
    ("watch", b'{"source": "a", "seconds": -1}', "seconds: expected a number >= 0.0; send"),
    ("info", b'{"sent_at": "today"}', "sent_at: expected a time such as 2026-11-20T10:00:00Z; send"),
    ("info", b'{"sent_at": "2026-11-20T10:00:00"}', "sent_at: expected a time such as 2026-11-20T10:00:00Z; send"),
    ("info", b'{"sent_at": 1795168800}', "sent_at: expected a time such as 2026-11-20T10:00:00Z; send"),
    ("info", b"[]", "expected an object, found a list; send something like {}"),
    ("info", b"garbage", "the payload is not JSON; send something like {}"),
    ("info", b"\xff\xfe", "the payload is not JSON; send something like {}"),
    ("info", b'{"\\u001b[2J\\n": 1}', "unknown key '?[2J?'; send"),
    ("info", b'{"transaction": 1.5}', "transaction: expected text or a whole number, found a number; send"),
    ("info", b"[" * 4000, "expected an object, found a list; send"),
    ("info", b" " * 5000, "the payload has more than 4096 bytes, and no more are accepted; send less"),
]


@pytest.mark.parametrize(("verb", "payload"), GOOD)
def test_parse_request_what_the_schema_allows_is_taken(verb: Verb, payload: str) -> None:
    assert isinstance(parse_request(verb, payload.encode()), REQUESTS[verb])
    jsonschema.validate(json.loads(payload or "{}"), schema_document()["commands"][f"auscult/<node>/cmd/{verb}"]["payload"])


@pytest.mark.parametrize(("verb", "payload", "said"), BAD)
def test_parse_request_mistake_is_one_line_with_a_remedy(verb: Verb, payload: bytes, said: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_request(verb, payload)
    assert str(caught.value).startswith(said)


def test_parse_request_largest_payload_is_taken() -> None:
    payload = b'{"source": "pump1", "minutes": 1}'
    assert isinstance(parse_request("snooze", payload.ljust(MAXIMUM_BYTES)), SnoozeRequest)


@pytest.mark.parametrize(
    ("payload", "transaction"),
    [(b'{"transaction": "a", "x": 1}', "a"), (b'{"transaction": 7}', 7), (b'{"transaction": [1]}', None), (b"{", None), (b"", None)],
)
def test_transaction_of_is_found_in_what_is_otherwise_wrong(payload: bytes, transaction: object) -> None:
    assert transaction_of(payload) == transaction


def test_requests_every_verb_of_the_configuration_has_one() -> None:
    assert tuple(REQUESTS) == VERBS


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["transaction", "sent_at", "source", "minutes", "note", "event", "verdict", "false_alarms_per_week", "reset", "seconds", "x"]
)
OBJECTS = st.dictionaries(KEYS, VALUES | st.sampled_from(["pump1", "real", EVENT, "2026-11-20T10:00:00Z"]), max_size=5)
PAYLOADS = st.binary(max_size=200) | OBJECTS.map(lambda value: json.dumps(value).encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VERBS), PAYLOADS)
def test_parse_request_anything_at_all_is_a_request_or_one_line(verb: Verb, payload: bytes) -> None:
    transaction = transaction_of(payload)
    assert transaction is None or isinstance(transaction, str | int)
    try:
        request = parse_request(verb, payload)
    except CommandError as error:
        problem = str(error)
        assert problem.isprintable()
        assert 0 < len(problem) < 500
        return
    assert parse_request(verb, msgspec.json.encode(request)) == request
    assert request.transaction == transaction
