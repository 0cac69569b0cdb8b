"""`auscult run` publishes discovery messages through a real Mosquitto, and deletes them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.broker import HOST, Broker, MakeBroker, Subscriber
from tests.bundles import CalibratedMachine
from tests.edge.homeassistant.discovery_schema import DISCOVERY, TOPIC
from tests.edge.remote.remote_node import PROJECT, Node, started

WORKSHOP = "homeassistant/device/auscult_workshop/config"
ACL = PROJECT / "systemd" / "mosquitto.acl"


def write_config(path: Path, broker: Broker, machine: CalibratedMachine, *names: str, **more: Any) -> None:
    mqtt = {"host": HOST, "port": broker.port, "protocol": more.pop("protocol", "5"), **more.pop("login", {})}
    source = {"bundle": str(machine.bundle), "files": {"paths": [str(machine.recordings[0])], "realtime": True, "loop": True}}
    config = {
        "node": "workshop",
        "mqtt": mqtt,
        "sources": dict.fromkeys(names, source),
        "outbox": {"path": "outbox.sqlite"},
        "health": {"interval_s": 0.5},
        "homeassistant": {"enabled": True},
        **more,
    }
    path.write_text(yaml.safe_dump(json.loads(json.dumps(config))))


@contextmanager
def run(path: Path, broker: Broker) -> Iterator[Node]:
    with started([PROJECT / "auscult.py", "run", "--config", path], broker) as node:
        node.wait_for(lambda: node.subscriber.of("/health"))
        yield node


def told(subscriber: Subscriber, topic: str = WORKSHOP) -> list[dict[str, Any]]:
    """The discovery messages so far; an empty one is an empty dict."""
    found = [message for message in subscriber.messages if message.topic == topic]
    for message in found:
        assert (message.qos, message.retained) == (1, True)
        assert re.fullmatch(TOPIC, message.topic)
        if message.payload:
            jsonschema.Draft202012Validator(DISCOVERY).validate(json.loads(message.payload))
    return [json.loads(message.payload or b"{}") for message in found]


def entities(payload: dict[str, Any], source: str) -> set[str]:
    return {key for key, component in payload["components"].items() if key.startswith(f"{source}.") and len(component) > 1}


def publish(broker: Broker, topic: str, payload: str, *arguments: str) -> None:
    command = ["mosquitto_pub", "-h", HOST, "-p", str(broker.port), "-t", topic, "-m", payload, *arguments]
    subprocess.run(command, check=True, timeout=10)


def test_discovery_is_off_unless_it_is_asked_for(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_config(path, broker, machine, "pump1", homeassistant={})
    with broker.subscriber("homeassistant/#") as home, run(path, broker) as node:
        publish(broker, "homeassistant/status", "online")
        home.wait_for(lambda s: s.of("homeassistant/status"))
        assert "Home Assistant" not in node.stop()
        assert told(home) == []
    assert not list(tmp_path.glob("*.homeassistant"))


def test_what_is_off_is_not_even_imported(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from edge.config.load import load_config
from edge.node.assembly import Assembly
from edge.node.plan import Plan

path = Path(sys.argv[1])
Assembly(Plan.of(load_config(path))).daemon(path)
optional = {"edge.homeassistant", "edge.metrics", "prometheus_client", "numpy.random"}  # the last is for sources that learn
print(*sorted(optional & set(sys.modules)))
"""
    for enabled, imported in ((False, ""), (True, "edge.homeassistant")):
        write_config(tmp_path / "config.yaml", broker, machine, "pump1", homeassistant={"enabled": enabled})
        command: list[str | Path] = [sys.executable, "-c", program, tmp_path / "config.yaml"]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == f"{imported}\n"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_discovery_follows_the_sources_and_home_assistant(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, protocol: str
) -> None:
    path = tmp_path / "config.yaml"
    write_config(path, broker, machine, "pump1", "fan2", protocol=protocol)
    with broker.subscriber("homeassistant/#") as home:
        with run(path, broker) as node:
            home.wait_for(lambda s: told(s))
            (first,) = told(home)
            assert len(entities(first, "pump1")) == len(entities(first, "fan2")) == 6

            publish(broker, "homeassistant/status", "offline")
            publish(broker, "homeassistant/status", "online")
            publish(broker, "homeassistant/status", "online")  # one that flaps is answered once
            home.wait_for(lambda s: len(told(s)) == 2)
            assert told(home)[1] == first

            write_config(path, broker, machine, "pump1", "press3", protocol=protocol)
            os.kill(node.process.pid, signal.SIGHUP)
            home.wait_for(lambda s: len(told(s)) == 3)
            assert (len(entities(told(home)[2], "press3")), entities(told(home)[2], "fan2")) == (6, set())
            assert told(home)[2]["components"]["fan2.problem"] == {"platform": "binary_sensor"}
            log = node.stop()
            assert f"Home Assistant: published fan2, pump1 in {WORKSHOP} (" in log
        # sources of an earlier run are removed too
        write_config(path, broker, machine, "pump1", protocol=protocol)
        with run(path, broker) as node:
            home.wait_for(lambda s: len(told(s)) == 4)
            assert told(home)[3]["components"]["press3.score"] == {"platform": "sensor"}
            node.stop()


def test_discovery_is_taken_back_when_it_is_switched_off_or_the_node_gets_another_name(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    path, kept = tmp_path / "config.yaml", tmp_path / "outbox.sqlite.homeassistant"
    cellar = "site/ha/device/auscult_cellar/config"
    write_config(path, broker, machine, "pump1")
    with broker.subscriber("#") as home:
        with run(path, broker) as node:
            home.wait_for(lambda s: told(s))
            node.stop()
        assert json.loads(kept.read_text()) == [WORKSHOP]
        write_config(path, broker, machine, "pump1", node="cellar", homeassistant={"enabled": True, "prefix": "site/ha"})
        with run(path, broker) as node:
            home.wait_for(lambda s: told(s)[-1] == {} and [m for m in s.messages if m.topic == cellar])
            node.wait_for(lambda: json.loads(kept.read_text()) == [cellar])
            assert f"Home Assistant: removing {WORKSHOP}" in node.stop()
        write_config(path, broker, machine, "pump1", node="cellar", homeassistant={"enabled": False})
        with run(path, broker) as node:
            home.wait_for(lambda s: [m.payload for m in s.messages if m.topic == cellar][-1] == b"")
            node.wait_for(lambda: not kept.exists())
            node.stop()
    with broker.subscriber("#") as late:  # nothing is retained
        late.wait_for(lambda s: s.of("/status"))
        assert [message.topic for message in late.messages if "/device/" in message.topic] == []


@pytest.fixture
def guarded(make_broker: MakeBroker, tmp_path: Path) -> Broker:
    rules = tmp_path / "auscult.acl"
    rules.write_text(ACL.read_text())
    rules.chmod(0o600)
    users = {name: name for name in ("workshop", "homeassistant", "cellar")}
    return make_broker(users=users, lines=[f"acl_file {rules}"])


def test_discovery_with_the_access_rules_that_ship(guarded: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("workshop")
    (tmp_path / "password").chmod(0o600)
    path = tmp_path / "config.yaml"
    write_config(path, guarded, machine, "pump1", login={"username": "workshop", "password_file": "password"}, commands={"enabled": True})
    login = ("homeassistant", "homeassistant")
    arguments = ["-u", login[0], "-P", login[1], "-q", "1"]
    with guarded.subscriber("#", login=login) as home:
        process = subprocess.Popen([sys.executable, PROJECT / "auscult.py", "run", "--config", path], stderr=subprocess.PIPE)
        try:
            home.wait_for(lambda s: told(s))
            before = len(told(home))
            publish(guarded, "homeassistant/status", "online", *arguments)
            home.wait_for(lambda s: len(told(s)) > before)
            home.wait_for(lambda s: s.of("/health") and json.loads(s.texts("/health")[-1])["commands"]["state"] == "subscribed")
            publish(guarded, "auscult/workshop/cmd/snooze", '{"transaction": 1, "source": "pump1", "minutes": 0}', *arguments)
            home.wait_for(lambda s: s.of("/response/snooze"))
            publish(guarded, "auscult/workshop/cmd/reload", "{}", *arguments)  # is not Home Assistant's to ask for
            publish(guarded, WORKSHOP, "{}", "-u", "cellar", "-P", "cellar", "-q", "1")  # nor is this another node's to tell
            publish(guarded, "auscult/workshop/cmd/snooze", '{"transaction": 2, "source": "pump1", "minutes": 0}', *arguments)
            home.wait_for(lambda s: len(s.of("/response/snooze")) == 2)
            assert home.of("/response/reload") == []
            assert told(home)[-1] != {}
        finally:
            process.terminate()
            process.communicate()


def test_discovery_subscription_that_the_broker_denies_is_told_once_and_the_rest_goes_on(
    make_broker: MakeBroker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    plugin = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"), None)
    if plugin is None:
        pytest.skip("mosquitto_dynamic_security.so is not installed; sudo apt install mosquitto")
    rules = tmp_path / "security.json"
    acls = [{"acltype": kind, "topic": "#", "allow": True} for kind in ("publishClientSend", "publishClientReceive", "unsubscribePattern")]
    acls.append({"acltype": "subscribePattern", "topic": "auscult/#", "allow": True})
    role, anonymous = {"rolename": "all", "acls": acls}, {"groupname": "everybody", "roles": [{"rolename": "all"}]}
    rules.write_text(json.dumps({"roles": [role], "groups": [anonymous], "anonymousGroup": "everybody", "defaultACLAccess": {}}))
    broker = make_broker(lines=[f"plugin {plugin}", f"plugin_opt_config_file {rules}"])
    path = tmp_path / "config.yaml"
    write_config(path, broker, machine, "pump1")
    with run(path, broker) as node:
        log = node.stop()
    assert (
        log.count("homeassistant/status: the broker does not let us subscribe (not authorized), so restarts of Home Assistant go unnoticed")
        == 1
    )
