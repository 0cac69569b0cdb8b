"""The example of access rules that ships, in a real Mosquitto with a password for each user."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.broker import HOST, Broker, MakeBroker

ACL = Path(__file__).parents[3] / "systemd" / "mosquitto.acl"
USERS = {name: f"the secret of {name}" for name in ("workshop", "cellar", "operator", "viewer", "stranger")}


@pytest.fixture
def guarded(make_broker: MakeBroker, tmp_path: Path) -> Broker:
    rules = tmp_path / "auscult.acl"
    shutil.copyfile(ACL, rules)
    rules.chmod(0o600)
    return make_broker(users=USERS, lines=[f"acl_file {rules}"])


def publish(broker: Broker, user: str, topic: str, payload: str) -> None:
    command = ["mosquitto_pub", "-h", HOST, "-p", str(broker.port), "-u", user, "-P", USERS[user], "-q", "1", "-t", topic, "-m", payload]
    subprocess.run(command, check=False, timeout=10, capture_output=True)


def test_acl_who_may_do_what(guarded: Broker) -> None:
    topics = {
        "command": "auscult/workshop/cmd/snooze",
        "other command": "auscult/cellar/cmd/snooze",
        "response": "auscult/workshop/response/snooze",
        "event": "auscult/workshop/pump1/event",
        "other event": "auscult/cellar/pump1/event",
    }
    may_read = {
        "workshop": {"command"},
        "cellar": {"other command"},
        "operator": set(topics),
        "viewer": set(topics),
        "stranger": set(),
    }
    may_write = {
        "workshop": {"command", "response", "event"},
        "cellar": {"other command", "other event"},
        "operator": {"command", "other command"},
        "viewer": set(),
        "stranger": set(),
    }
    expected: dict[str, set[str]] = {
        reader: {f"{what} by {writer}" for writer in USERS for what in may_read[reader] & may_write[writer]} for reader in USERS
    }
    with ExitStack() as stack:
        hears = {user: stack.enter_context(guarded.subscriber("#", login=(user, USERS[user]))) for user in USERS}
        for user in USERS:
            for what, topic in topics.items():
                publish(guarded, user, topic, f"{what} by {user}")
        for user, subscriber in hears.items():
            subscriber.wait_for(lambda s, user=user: len(s.messages) >= len(expected[user]))  # type: ignore[misc]
        publish(guarded, "operator", topics["command"], "last")  # behind all that could still be on its way
        hears["viewer"].wait_for(lambda s: s.texts("snooze")[-1:] == ["last"])
        heard = {user: {message.text for message in subscriber.messages} - {"last"} for user, subscriber in hears.items()}
    assert heard == expected


def test_acl_without_a_login_nobody_gets_in(guarded: Broker) -> None:
    done = subprocess.run(["mosquitto_pub", "-h", HOST, "-p", str(guarded.port), "-t", "a", "-m", "b"], check=False, capture_output=True)
    assert done.returncode != 0
