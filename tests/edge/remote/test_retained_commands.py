"""Somebody retains a command: the broker hands it out on every connection, and over MQTT 3.1.1 does not say so while we are connected."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.remote.freshness import AHEAD_S
from tests.broker import Broker, MakeBroker
from tests.edge.remote.remote_node import Node, node, publish, write


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    """No events."""
    return write(tmp_path / "quiet.wav", [0.1] * 4)


def now(ago_s: float = 0.0) -> str:
    """The time as a sender gives it."""
    return (datetime.now(timezone.utc) - timedelta(seconds=ago_s)).isoformat()


def snooze(transaction: str, *, ago_s: float | None = None) -> str:
    """A command; with `ago_s` one that says when it was sent."""
    fields = {"transaction": transaction, "source": "pump1", "minutes": 60}
    if ago_s is not None:
        fields["sent_at"] = now(ago_s)
    return json.dumps(fields)


def is_snoozed(one: Node) -> bool:
    """As `health` says when it is told next."""
    seen = len(one.subscriber.of("/health"))
    one.wait_for(lambda: len(one.subscriber.of("/health")) > seen + 1)
    return one.last("health")["sources"]["pump1"]["snoozed_until"] is not None


def reconnect(one: Node, broker: Broker) -> None:
    """The broker goes away, and comes back with what it retains."""
    connections = one.last("health")["broker"]["connections"]
    broker.stop()
    broker.start()
    one.wait_for(lambda: one.last("health")["broker"]["connections"] > connections)
    one.wait_for(lambda: one.last("health")["commands"]["state"] == "subscribed")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("publisher", ["5", "311"])
def test_node_retained_command_is_never_carried_out(
    make_broker: MakeBroker, quiet: Path, tmp_path: Path, protocol: str, publisher: str
) -> None:
    broker = make_broker(persistent=True)
    how = ("-r", "-V", publisher)
    publish(broker, "snooze", snooze("before"), *how)
    for run in range(2):
        with node(tmp_path, broker, quiet, protocol=protocol) as one:
            last = f"meanwhile {run}"
            one.wait_for(lambda run=run: one.answers(f"meanwhile {run - 1}" if run else "before"))
            publish(broker, "snooze", snooze(last), *how)
            one.wait_for(lambda last=last: one.answers(last))
            for _ in range(2):  # one more connection that is lost at once, and the node takes it for a contest
                reconnect(one, broker)
                assert not is_snoozed(one)
            assert {answer["status"] for answer in one.answers(last)} == {"error"}
            one.stop()


def test_node_command_over_mqtt_311_that_says_when_is_carried_out_once(make_broker: MakeBroker, quiet: Path, tmp_path: Path) -> None:
    broker = make_broker(persistent=True)
    how = ("-r", "-V", "311")
    with node(tmp_path, broker, quiet, protocol="3.1.1") as one:
        publish(broker, "snooze", snooze("too old", ago_s=70.0), *how)
        one.wait_for(lambda: one.answers("too old"))
        assert "s ago by this node's clock" in one.answers("too old")[0]["error"]
        publish(broker, "snooze", snooze("too young", ago_s=0.0), *how)
        one.wait_for(lambda: one.answers("too young"))
        assert "before the daemon was started" in one.answers("too young")[0]["error"]
        one.wait_for(lambda: one.last("health")["uptime_s"] > AHEAD_S + 1.0)
        good = snooze("good", ago_s=0.0)
        for _ in range(2):  # delivered twice: answered twice, and carried out once
            publish(broker, "snooze", good, *how)
        one.wait_for(lambda: len(one.answers("good")) == 2)
        assert [answer["status"] for answer in one.answers("good")] == ["ok"] * 2
        assert is_snoozed(one)
        assert one.ask("snooze", source="pump1", minutes=0, sent_at=now())["status"] == "ok"
        for _ in range(2):
            reconnect(one, broker)
            assert not is_snoozed(one)
        one.stop()
    with node(tmp_path, broker, quiet, protocol="3.1.1") as one:
        one.wait_for(lambda: one.answers("good"))
        assert one.answers("good")[0]["status"] == "error"
        assert not is_snoozed(one)
        one.stop()
