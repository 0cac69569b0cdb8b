"""A real Mosquitto on a free port of the loopback interface. A pytest plugin: see the fixtures `broker` and `make_broker`."""

from __future__ import annotations

import getpass
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.certificates import Authority

HOST = "127.0.0.1"
USERNAME = "node1"
PASSWORD = "correct horse"
PORTS = (10_000, 32_768)  # below Linux's ip_local_port_range
TIMEOUT_S = 30.0  # on a busy machine; nobody waits for it otherwise
_INSTALL = "sudo apt install mosquitto mosquitto-clients"


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a subscriber got it."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    expiry_s: int | None

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.payload.decode()


class Subscriber:
    """Collects everything that matches a topic filter, with a client of its own."""

    def __init__(self) -> None:
        self.messages: list[Received] = []
        self._arrived = threading.Condition()

    def add(self, message: Received) -> None:
        """Called in paho's thread."""
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def of(self, topic: str) -> list[Received]:
        """The messages whose topic ends with `topic`, so far."""
        with self._arrived:
            return [message for message in self.messages if message.topic.endswith(topic)]

    def texts(self, topic: str) -> list[str]:
        """Their payloads."""
        return [message.text for message in self.of(topic)]

    def wait_for(self, is_there: Callable[[Subscriber], object], timeout_s: float = TIMEOUT_S) -> None:
        """Wait until `is_there(self)`; fail after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        with self._arrived:
            while not is_there(self):
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    pytest.fail(f"not received within {timeout_s} s; there were {[(m.topic, m.payload[:60]) for m in self.messages]}")
                self._arrived.wait(left_s)


def free_port() -> int:
    """One that stays free while its broker is stopped: the kernel hands out only higher ones, to the clients of all tests at once."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)  # not of the generator that Hypothesis sets to the same seed everywhere
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return port


class Broker:
    """One Mosquitto of one test; `stop` and `start` keep the port, and forget everything retained unless it is persistent."""

    host = HOST

    def __init__(
        self,
        folder: Path,
        *,
        password: bool = False,
        authority: Authority | None = None,
        require_certificate: bool = False,
        persistent: bool = False,
        users: Mapping[str, str] | None = None,
        lines: Sequence[str] = (),
    ) -> None:
        """Clients must log in as `USERNAME` with `password`, or as one of `users`, and speak TLS with an `authority`.

        A `persistent` one saves every change. `lines` are added to its configuration.
        """
        self.port = free_port()
        self._folder = folder
        self._authority = authority
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        # Started by root, Mosquitto becomes the user `mosquitto`, who may not read this folder.
        logins = {**({USERNAME: PASSWORD} if password else {}), **(users or {})}
        lines = [*lines, f"user {getpass.getuser()}", f"listener {self.port} {HOST}", "log_dest stderr"]
        if persistent:
            lines += ["persistence true", f"persistence_location {folder}/", "autosave_on_changes true", "autosave_interval 1"]
        else:
            lines.append("persistence false")
        if logins:
            file = folder / "users"
            file.touch(0o600)
            for name, secret in logins.items():
                subprocess.run(["mosquitto_passwd", "-b", file, name, secret], check=True, capture_output=True)
            lines += [f"password_file {file}", "allow_anonymous false"]
        else:
            lines.append("allow_anonymous true")
        if authority is not None:
            cert_file, key_file = authority.issue("localhost")
            lines += [f"cafile {authority.ca_file}", f"certfile {cert_file}", f"keyfile {key_file}"]
            lines.append(f"require_certificate {str(require_certificate).lower()}")
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Start Mosquitto and wait until it listens."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["mosquitto", "-c", self._config], stderr=log, stdout=log)
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail(f"Mosquitto does not start: {self.log()}")

    def stop(self) -> None:
        """Stop Mosquitto; clients lose their connection."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(TIMEOUT_S)
            self._process = None

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(TIMEOUT_S)
            self._process = None

    def signal(self, number: int) -> None:
        """SIGUSR1 has it save what it knows."""
        if self._process is not None:
            self._process.send_signal(number)

    def log(self) -> str:
        """What Mosquitto said."""
        return (self._folder / "log").read_text()

    @contextmanager
    def subscriber(
        self,
        topic_filter: str = "auscult/#",
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        login: tuple[str, str] | None = None,
    ) -> Iterator[Subscriber]:
        """A client that is subscribed to `topic_filter` while the context is open; retained messages count as received."""
        subscriber = Subscriber()
        subscribed = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        if login is not None or self._password:
            client.username_pw_set(*(login or (USERNAME, PASSWORD)))
        if self._authority is not None:
            cert_file, key_file = self._authority.issue("subscriber")
            client.tls_set(str(self._authority.ca_file), str(cert_file), str(key_file))

        def on_connect(client: Client, *_: Any) -> None:
            if protocol == MQTTProtocolVersion.MQTTv5:
                client.subscribe(topic_filter, options=SubscribeOptions(qos=1, retainAsPublished=True))
            else:
                client.subscribe(topic_filter, 1)

        def on_message(_client: Client, _data: Any, message: MQTTMessage) -> None:
            expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
            subscriber.add(Received(message.topic, bytes(message.payload), message.qos, message.retain, expiry_s))

        client.on_connect = on_connect
        client.on_message = on_message
        client.on_subscribe = lambda *_: subscribed.set()
        client.reconnect_delay_set(1, 1)
        client.connect(HOST, self.port)
        client.loop_start()
        try:
            if not subscribed.wait(TIMEOUT_S):
                pytest.fail(f"cannot subscribe: {self.log()}")
            yield subscriber
        finally:
            client.disconnect()
            client.loop_stop()


class MakeBroker(Protocol):
    """What the fixture `make_broker` is."""

    def __call__(
        self,
        *,
        password: bool = False,
        authority: Authority | None = None,
        require_certificate: bool = False,
        persistent: bool = False,
        users: Mapping[str, str] | None = None,
        lines: Sequence[str] = (),
        start: bool = True,
    ) -> Broker:
        """Make a broker, started unless `start` is false."""


@pytest.fixture
def make_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeBroker]:
    """Makes brokers with password or TLS; they are stopped when the test ends."""
    # Debian keeps it in a folder that only root has in its PATH.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for program in ("mosquitto", "mosquitto_passwd"):
        if shutil.which(program, path=path) is None:
            pytest.skip(f"{program} is not installed; {_INSTALL}")
    brokers: list[Broker] = []

    def make(
        *,
        password: bool = False,
        authority: Authority | None = None,
        require_certificate: bool = False,
        persistent: bool = False,
        users: Mapping[str, str] | None = None,
        lines: Sequence[str] = (),
        start: bool = True,
    ) -> Broker:
        folder = tmp_path_factory.mktemp("broker")
        broker = Broker(
            folder,
            password=password,
            authority=authority,
            require_certificate=require_certificate,
            persistent=persistent,
            users=users,
            lines=lines,
        )
        brokers.append(broker)
        if start:
            broker.start()
        return broker

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATH", path)
        yield make
    for broker in brokers:
        broker.stop()


@pytest.fixture
def broker(make_broker: MakeBroker) -> Broker:
    """A broker that takes everybody."""
    return make_broker()
