from __future__ import annotations

import json
import logging
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.commands.schema import schema_document
from edge.config.schema import VERBS, Verb
from edge.mqtt.subscription import Delivery
from edge.mqtt.timestamp import timestamp
from edge.mqtt.topics import Topics
from edge.remote import inbox as inbox_module
from edge.remote.commands import Commands, Reply
from edge.remote.freshness import Freshness
from edge.remote.inbox import Inbox
from edge.remote.requests import CommandError

TOPICS = Topics("test")
SCHEMAS = schema_document()["topics"]


class Desk:
    """Commands whose verbs do nothing but what a test wants."""

    def __init__(self, allow: tuple[Verb, ...] = VERBS) -> None:
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self.carried_out: list[Any] = []
        self.error: Exception | None = None
        self.waiting: list[Reply] | None = None  # instead of an answer
        self.inbox = Inbox()
        self.commands = Commands(self.inbox, TOPICS, self._answer, {verb: self._handle for verb in VERBS}, allow)

    def _answer(self, topic: str, payload: bytes) -> None:
        answer = json.loads(payload)
        entry = SCHEMAS.get(topic.replace("auscult/test", "auscult/<node>"))
        if entry is not None:
            jsonschema.validate(answer, entry["payload"])
        self.answers.append((topic, answer))

    def _handle(self, request: Any, reply: Reply) -> None:
        self.carried_out.append(request)
        if self.error is not None:
            raise self.error
        if self.waiting is not None:
            self.waiting.append(reply)
        elif reply._verb == "reload":
            reply.ok(result="the configuration holds")
        else:
            reply.ok(source=request.source, snoozed_until=None, warning=None)

    def send(self, topic: str, payload: bytes, retained: bool | None = False) -> dict[str, Any] | None:
        """Give a command and return the answer, if one came."""
        before = len(self.answers)
        self.inbox.put(Delivery(topic, payload, retained))
        assert self.commands.poll()
        assert not self.commands.poll()
        assert len(self.answers) - before <= 1
        return self.answers[-1][1] if len(self.answers) > before else None


SNOOZE = b'{"transaction": "a", "source": "pump1", "minutes": 5}'


def test_commands_answer_repeats_the_transaction_on_the_verbs_topic() -> None:
    desk = Desk()
    answer = desk.send("auscult/test/cmd/snooze", SNOOZE)
    assert answer == {
        "schema": 1, "transaction": "a", "status": "ok", "error": None, "source": "pump1", "snoozed_until": None, "warning": None,
    }  # fmt: skip
    assert desk.answers[0][0] == "auscult/test/response/snooze"
    assert desk.carried_out[0].minutes == 5.0
    assert (desk.commands.taken, desk.commands.refused) == (1, 0)


def test_commands_same_transaction_again_is_answered_and_not_carried_out() -> None:
    desk = Desk()
    first = desk.send("auscult/test/cmd/snooze", SNOOZE)
    assert desk.send("auscult/test/cmd/snooze", SNOOZE) == first
    assert len(desk.carried_out) == 1
    other = desk.send("auscult/test/cmd/snooze", SNOOZE.replace(b"5", b"6"))
    assert other is not None
    assert other["error"] == "the transaction 'a' was used for another snooze lately; give each command its own"
    assert len(desk.carried_out) == 1
    for _ in range(2):
        desk.send("auscult/test/cmd/snooze", SNOOZE.replace(b'"a"', b"null"))
    assert len(desk.carried_out) == 3


def test_commands_answer_that_comes_later_comes_once() -> None:
    desk = Desk()
    desk.waiting = []
    payload = b'{"transaction": 1}'
    assert desk.send("auscult/test/cmd/reload", payload) is None
    assert desk.send("auscult/test/cmd/reload", payload) is None  # the answer is still to come
    desk.waiting[0].error("config.yaml:3: no")
    desk.waiting[0].ok(result="too late")
    assert [answer["error"] for _, answer in desk.answers] == ["config.yaml:3: no"]
    assert desk.send("auscult/test/cmd/reload", payload) == desk.answers[0][1]
    assert len(desk.carried_out) == 1


def test_commands_mistakes_are_answered_with_everything_else_null() -> None:
    desk = Desk()
    answer = desk.send("auscult/test/cmd/snooze", b'{"transaction": "a", "minutes": 5}')
    assert answer is not None
    assert answer["error"].startswith("the key 'source' is missing")
    assert (answer["transaction"], answer["status"], answer["source"]) == ("a", "error", None)
    desk.error = CommandError("no source is called 'pump1' here")
    answer = desk.send("auscult/test/cmd/snooze", SNOOZE)
    assert answer is not None
    assert answer["error"] == "no source is called 'pump1' here"
    assert desk.commands.refused == 2


def test_commands_handler_that_breaks_is_an_answer_and_a_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.error = ZeroDivisionError("secret")
    answer = desk.send("auscult/test/cmd/snooze", SNOOZE)
    assert answer is not None
    assert answer["error"] == "an internal error; the node's log has the details"
    assert "ZeroDivisionError" in caplog.text


def test_commands_verb_that_is_not_allowed_or_not_there_is_refused() -> None:
    desk = Desk(allow=("info", "mark"))
    answer = desk.send("auscult/test/cmd/snooze", SNOOZE)
    assert answer is not None
    assert answer["error"] == "not allowed on this node; `commands.allow` in its config.yaml names info, mark"
    answer = desk.send("auscult/test/cmd/reboot", b'{"transaction": "b"}')
    assert answer == {"schema": 1, "transaction": "b", "status": "error", "error": "no such command; there are info, mark"}
    assert desk.answers[-1][0] == "auscult/test/response/reboot"
    assert desk.carried_out == []


@pytest.mark.parametrize(
    "topic", ["auscult/test/cmd/Snooze", "auscult/test/cmd/a\u202eb", "auscult/test/cmd/", "auscult/other/cmd/info", "x"]
)
def test_commands_odd_topic_is_ignored(topic: str) -> None:
    desk = Desk()
    assert desk.send(topic, b"{}") is None
    assert desk.commands.taken == 0


def test_commands_retained_is_never_carried_out_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):  # two connections
            answer = desk.send("auscult/test/cmd/snooze", SNOOZE, retained=True)
    assert answer is not None
    assert "it is retained, and would be carried out on each connection" in answer["error"]
    assert "mosquitto_pub -t auscult/test/cmd/snooze -r -n" in caplog.text
    assert sum("a retained command is ignored" in record.getMessage() for record in caplog.records) == 1
    assert desk.send("auscult/test/cmd/snooze", b"", retained=True) is None  # somebody deletes it
    assert desk.carried_out == []
    desk.send("auscult/test/cmd/snooze", SNOOZE)
    assert len(desk.carried_out) == 1


def test_commands_that_may_be_retained_are_carried_out_once_when_they_say_that_they_are_new() -> None:
    desk = Desk()
    answer = desk.send("auscult/test/cmd/snooze", SNOOZE, retained=None)
    assert answer is not None
    assert answer["error"].startswith("over MQTT 3.1.1 it may be retained")
    assert desk.carried_out == []
    desk.commands._freshness = Freshness(now=iter([0.0, 3600.0, 3600.0]).__next__)
    new = {**json.loads(SNOOZE), "sent_at": timestamp(time.time())}
    for _ in range(2):
        answer = desk.send("auscult/test/cmd/snooze", json.dumps(new).encode(), retained=None)
        assert answer is not None
        assert answer["status"] == "ok"
    assert len(desk.carried_out) == 1


def test_commands_retained_under_names_without_end_are_not_all_remembered() -> None:
    desk = Desk()
    for number in range(100):
        desk.inbox = desk.commands._inbox = Inbox()
        answer = desk.send(f"auscult/test/cmd/{'a' * (number // 26 + 1)}{chr(97 + number % 26)}", b"{}", retained=True)
        assert answer is not None
        assert "it is retained" in answer["error"]
    assert len(desk.commands._told_retained) <= len(VERBS)


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=20) | st.sampled_from([*VERBS, "a/b"]),
    st.binary(max_size=100) | st.sampled_from([SNOOZE, b"{}"]),
    st.sampled_from([False, True, None]),
)
def test_commands_anything_at_all_never_raises_and_is_answered_at_most_once(verb: str, payload: bytes, retained: bool | None) -> None:
    desk = Desk()
    answer = desk.send(f"auscult/test/cmd/{verb}", payload, retained)
    if answer is not None and answer["status"] == "error":
        assert answer["error"].isprintable()


def test_commands_flood_is_answered_as_far_as_the_rate_goes() -> None:
    desk = Desk()
    for _ in range(1000):
        desk.inbox.put(Delivery("auscult/test/cmd/info", b"garbage", False))
    while desk.commands.poll():
        pass
    assert len(desk.answers) <= inbox_module.BURST + 1
    assert desk.commands.dropped == 1000 - len(desk.answers)
