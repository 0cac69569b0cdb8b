"""Check that the broker accepts us: name, TCP, TLS and login, by the daemon's own connection code."""

from __future__ import annotations

import stat
import time
from dataclasses import replace

from edge.config.credentials import is_out_of_reach
from edge.config.schema import MqttConfig
from edge.doctor.finding import Finding, fail, ok, warn
from edge.errors import AuscultError
from edge.message import Message
from edge.mqtt.connection import Connection
from edge.mqtt.refusal import ConnectError, PostponedError, RefusedError
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.subscription import Delivery, Subscription
from edge.mqtt.topics import Topics

CHECK = "broker"
ANSWER_WAIT_S = 5.0
LARGEST_SENT = 16 * 1024  # bytes; scores with many regions, and `health` and discovery with many sources, have several thousand
SUFFIX = "-doctor"  # of the client id: with the daemon's own, the broker would throw the daemon out


def check_broker(mqtt: MqttConfig, node: str) -> Finding:
    """Connect once, try to publish, and disconnect.

    No will is left, and what is published is empty, is not kept and is on a topic of its own. A broker that speaks MQTT 3.1.1 does not say
    what it does not let through, so there nothing is tried.

    Raises
    ------
    AuscultError : the password or a TLS file cannot be used
    """
    if mqtt.password_file is not None and is_out_of_reach(mqtt.password_file):
        return warn(
            CHECK,
            f"the password is the service's credential {mqtt.password_file.name}, which only the service can read; not tried",
            "see what the service says: sudo journalctl -u auscult -n 20",
        )
    settings = BrokerSettings.from_config(mqtt)
    tls = None if settings.tls is None else settings.tls.context()
    settings = replace(settings, client_id=settings.client_id + SUFFIX)
    try:
        connection = Connection(settings, None, tls)
        connection.open()
    except (RefusedError, PostponedError) as error:  # these say what to do
        return fail(CHECK, f"{settings.endpoint}: {error}")
    except ConnectError as error:
        return fail(CHECK, f"{settings.endpoint}: {error}", "is it running? are mqtt.host and mqtt.port right? does a firewall block it?")
    try:
        refusal = _refusal(connection, f"{mqtt.base_topic}/{node}/doctor") if settings.protocol == "5" else None
    except ConnectError as error:
        return fail(CHECK, f"{settings.endpoint}: {error}", "see the broker's log")
    finally:
        connection.close()
    if refusal is not None:
        below = f"{mqtt.base_topic}/{node}/#"
        return fail(
            CHECK, f"{settings.endpoint}: connected, but may not publish ({refusal})", f"let this client write {below} in its access rules"
        )
    if connection.largest_packet < LARGEST_SENT:
        found = f"{settings.endpoint}: takes packets of at most {connection.largest_packet} bytes, and some of Auscult's are larger"
        return warn(CHECK, found, f"set its max_packet_size to {LARGEST_SENT} or more, or leave it out")
    login = "without a login" if settings.username is None else f"logged in as {settings.username}"
    how = "in plain text" if settings.tls is None else "over TLS, its certificate verified"
    told = f"{settings.endpoint}: connected {how}, {login}, MQTT {settings.protocol}"
    if mqtt.password_file is not None and mqtt.password_file.stat().st_mode & stat.S_IROTH:
        return warn(CHECK, f"{told}; everybody on this device may read {mqtt.password_file}", f"sudo chmod o= {mqtt.password_file}")
    return ok(CHECK, told)


def retained(mqtt: MqttConfig, node: str, wait_s: float) -> dict[str, str]:
    """Return what the broker keeps of a node itself by topic: `status`, `info` and `health`, as far as they come within `wait_s`.

    Raises
    ------
    AuscultError : the broker cannot be reached, or will not have us
    """
    topics = Topics(node, mqtt.base_topic)
    wanted = {topics.status, topics.info, topics.health}
    found: dict[str, str] = {}

    def deliver(delivery: Delivery) -> None:
        if delivery.topic in wanted:
            found[delivery.topic] = delivery.payload.decode(errors="replace")

    settings = BrokerSettings.from_config(mqtt)
    settings = replace(settings, client_id=settings.client_id + SUFFIX)
    tls = None if settings.tls is None else settings.tls.context()
    try:
        connection = Connection(settings, None, tls, [Subscription(f"{mqtt.base_topic}/{node}/+", deliver)])
        connection.open()
        give_up_s = time.monotonic() + wait_s
        while wanted - found.keys() and time.monotonic() < give_up_s:
            connection.step(0.1)
    except ConnectError as error:
        raise AuscultError(settings.endpoint, str(error)) from error
    connection.close()
    return found


def _refusal(connection: Connection, topic: str) -> str | None:
    """Publish something that nobody keeps, and return why the broker does not take it; None when it does, or does not say."""
    packet_id = connection.publish(Message(topic, b""))
    give_up_s = time.monotonic() + ANSWER_WAIT_S
    while time.monotonic() < give_up_s:
        for answer in connection.step(0.1):
            if answer.packet_id == packet_id:
                return answer.refusal
    return None
