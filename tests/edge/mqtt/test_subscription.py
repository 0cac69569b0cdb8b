"""What the node listens to, against a real Mosquitto."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from edge.mqtt.backoff import Backoff
from edge.mqtt.connection import LARGEST_TAKEN
from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.subscription import Delivery, Subscription
from tests.broker import HOST, Broker, MakeBroker

Protocol = Literal["5", "3.1.1"]
INFO = "auscult/test/cmd/info"
PROTOCOLS: tuple[Protocol, ...] = ("5", "3.1.1")


@contextmanager
def listening(broker: Broker, protocol: Protocol = "5") -> Iterator[tuple[Publisher, Subscription, list[Delivery]]]:
    came: list[Delivery] = []
    subscription = Subscription("auscult/test/cmd/+", came.append)
    settings = replace(BrokerSettings(HOST, "auscult-test", broker.port), protocol=protocol)
    publisher = Publisher(settings, "auscult/test/status", subscriptions=[subscription], backoff=Backoff(0.1, 0.2), refusal_wait_s=0.2)
    try:
        publisher.open()
        publisher.start()
        wait_until(lambda: subscription.state != "waiting")
        yield publisher, subscription, came
    finally:
        publisher.stop()


def wait_until(is_so: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 10.0
    while not is_so():
        if time.monotonic() > deadline_s:
            pytest.fail("did not come about in time")
        time.sleep(0.01)


def pub(broker: Broker, topic: str, payload: str, *arguments: str) -> None:
    command = ["mosquitto_pub", "-h", HOST, "-p", str(broker.port), "-q", "1", "-t", topic, *arguments]
    subprocess.run([*command, "-s"], check=True, timeout=10, input=payload.encode())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_subscription_commands_come_as_they_were_sent(broker: Broker, protocol: Protocol) -> None:
    with listening(broker, protocol) as (_, subscription, came):
        assert (subscription.state, subscription.reason) == ("subscribed", None)
        pub(broker, INFO, '{"transaction": "a"}')
        pub(broker, "auscult/other/cmd/info", "{}")
        pub(broker, "auscult/test/cmd/a/b", "{}")
        pub(broker, "auscult/test/cmd/mark", "\0garbage")
        wait_until(lambda: len(came) == 2)
        retained = False if protocol == "5" else None  # MQTT 3.1.1 does not say so of what comes live
        assert came == [Delivery(INFO, b'{"transaction": "a"}', retained), Delivery("auscult/test/cmd/mark", b"\0garbage", retained)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_subscriptions_of_one_connection_get_their_own_messages(broker: Broker, protocol: Protocol) -> None:
    commands: list[Delivery] = []
    births: list[Delivery] = []
    subscriptions = [Subscription("auscult/test/cmd/+", commands.append), Subscription("homeassistant/status", births.append)]
    settings = replace(BrokerSettings(HOST, "auscult-test", broker.port), protocol=protocol)
    publisher = Publisher(settings, "auscult/test/status", subscriptions=subscriptions)
    try:
        publisher.open()
        publisher.start()
        wait_until(lambda: all(subscription.state == "subscribed" for subscription in subscriptions))
        pub(broker, "homeassistant/status", "online")
        pub(broker, INFO, "{}")
        wait_until(lambda: commands and births)
        assert [delivery.topic for delivery in (*commands, *births)] == [INFO, "homeassistant/status"]
    finally:
        publisher.stop()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_subscription_retained_command_is_known_for_one(broker: Broker, protocol: Protocol) -> None:
    pub(broker, INFO, "{}", "-r")
    with listening(broker, protocol) as (_, _, came):
        wait_until(lambda: came)
        assert came == [Delivery(INFO, b"{}", True)]
        pub(broker, INFO, "{1}", "-r", "-V", "5")
        wait_until(lambda: len(came) == 2)
        assert came[1].retained is (True if protocol == "5" else None)


def test_subscription_is_made_again_on_each_connection(broker: Broker) -> None:
    with listening(broker) as (publisher, subscription, came):
        broker.stop()
        wait_until(lambda: subscription.state == "waiting")
        publisher.answer("auscult/test/response/info", b"waits for the broker")
        broker.start()
        with broker.subscriber("auscult/test/response/#"):
            wait_until(lambda: subscription.state == "subscribed")
            wait_until(lambda: publisher.idle)
        pub(broker, INFO, "{}")
        wait_until(lambda: len(came) == 1)


def test_subscription_too_large_for_us_stays_with_the_broker(broker: Broker) -> None:
    with listening(broker) as (publisher, _, came):
        pub(broker, INFO, "x" * (LARGEST_TAKEN + 1))
        pub(broker, INFO, "x" * (LARGEST_TAKEN // 2))
        wait_until(lambda: came)
        assert [len(delivery.payload) for delivery in came] == [LARGEST_TAKEN // 2]
        assert publisher.link.connections == 1


def test_subscription_packet_that_is_too_large_is_passed_over_where_the_broker_cannot_know(broker: Broker) -> None:
    with listening(broker, "3.1.1") as (publisher, _, came):
        for _ in range(3):
            pub(broker, INFO, "x" * 20_000_000, "-r")
        pub(broker, INFO, "{}")
        wait_until(lambda: len(came) == 4)
        assert [LARGEST_TAKEN // 2 < len(delivery.payload) < 4 * LARGEST_TAKEN for delivery in came] == [True, True, True, False]
        assert {delivery.payload[:100] for delivery in came[:3]} == {b"x" * 100}
        assert came[3] == Delivery(INFO, b"{}", None)
        wait_until(lambda: publisher.idle)
        assert publisher.link.connections == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_subscription_that_the_broker_denies_is_reported_once_and_the_rest_continues(
    make_broker: MakeBroker, tmp_path: Path, protocol: Protocol, caplog: pytest.LogCaptureFixture
) -> None:
    plugins = sorted(Path("/usr/lib").glob("**/mosquitto_dynamic_security.so"))
    if not plugins:  # Mosquitto's file of access rules lets everybody subscribe, and does not deliver
        pytest.skip("this Mosquitto comes without the plugin for dynamic security")
    rules = tmp_path / "rules.json"
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    rules.write_text(json.dumps({"defaultACLAccess": access, "clients": [], "groups": [], "roles": []}))
    broker = make_broker(lines=["per_listener_settings false", f"plugin {plugins[0]}", f"plugin_opt_config_file {rules}"])
    with listening(broker, protocol) as (publisher, subscription, _):
        assert subscription.state == "refused"
        assert subscription.reason == ("not authorized" if protocol == "5" else "unspecified error")
        publisher.retain("auscult/test/pump1/state", b"ON")
        wait_until(lambda: publisher.idle)
        broker.stop()
        wait_until(lambda: subscription.state == "waiting")
        broker.start()
        wait_until(lambda: subscription.state == "refused")
    assert caplog.text.count("auscult/test/cmd/+: the broker does not let us subscribe (") == 1
