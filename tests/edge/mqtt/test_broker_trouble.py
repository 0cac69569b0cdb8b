"""The publisher and its outbox against brokers that die, hang, forget, refuse and are shared by somebody with our name."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.mqtt import connection, in_flight
from edge.mqtt.backoff import Backoff
from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings, TlsSettings
from edge.outbox.outbox import Outbox
from tests.broker import HOST, Broker, MakeBroker
from tests.certificates import Authority
from tests.edge.mqtt.test_publisher import EVENT, STATUS, numbers, queue, running, settings_of, wait_until


class Proxy:
    """Passes bytes between clients and the broker until told to `hang`: it goes on to accept, and nothing comes through."""

    def __init__(self, target: int) -> None:
        self._server = socket.create_server((HOST, 0))
        self.port: int = self._server.getsockname()[1]
        self.target = target
        self.deaf = 0  # on this many connections, the first ones, what the broker says is lost
        self.hangs = False
        self.accepted = 0
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.accepted += 1
            self._sockets.append(client)
            if self.hangs:
                continue
            broker = socket.create_connection((HOST, self.target))
            self._sockets.append(broker)
            threading.Thread(target=self._pump, args=(client, broker), daemon=True).start()
            threading.Thread(target=self._pump, args=(broker, client, self.accepted), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, to_client: int | None = None) -> None:
        """Pass on what `source` says; `to_client` is the number of the connection when that is the broker."""
        try:
            while data := source.recv(65536):
                if not self.hangs and (to_client is None or to_client > self.deaf):
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for end in self._sockets:
            end.close()


@contextmanager
def proxied(broker: Broker) -> Iterator[Proxy]:
    proxy = Proxy(broker.port)
    try:
        yield proxy
    finally:
        proxy.close()


def test_publisher_broker_killed_everything_arrives_in_order_after_its_return(broker: Broker, tmp_path: Path) -> None:
    with running(settings_of(broker), Outbox(tmp_path / "outbox.sqlite")) as publisher:
        queue(publisher, *range(500))
        wait_until(lambda: publisher.report().depth < 450)  # in the middle of it
        broker.kill()
        queue(publisher, *range(500, 550))
        wait_until(lambda: publisher.link.state == "away")
        left = publisher.report().depth
        assert left >= 50
        broker.start()  # with no memory of any session
        wait_until(lambda: publisher.report().depth == 0)
        report = publisher.link
        assert (report.state, report.connections) == ("connected", 2)
        assert report.reason is not None
        assert publisher.report().dropped == 0


def test_publisher_puback_lost_the_message_comes_again_marked_as_replayed(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight, "ACKNOWLEDGE_TIMEOUT_S", 1.5)  # on a busy machine the broker takes its time, too
    with broker.subscriber() as subscriber, proxied(broker) as proxy:
        settings = replace(settings_of(broker), port=proxy.port)
        with running(settings, Outbox(tmp_path / "outbox.sqlite")) as running_publisher:
            wait_until(lambda: running_publisher.idle)
            proxy.deaf = proxy.accepted  # for good, as an acknowledgement may come after the message has reached the subscriber
            queue(running_publisher, 0, 1, 2)
            subscriber.wait_for(lambda s: len(s.of("event")) == 6)
            wait_until(lambda: running_publisher.idle)
            assert "has not acknowledged" in str(running_publisher.link.reason)
    messages = [json.loads(text) for text in subscriber.texts("event")]
    assert [(message["n"], message["replayed"]) for message in messages] == [(n, again) for again in (False, True) for n in range(3)]


def test_publisher_broker_hangs_it_is_left_slowly_and_found_again(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(in_flight, "ACKNOWLEDGE_TIMEOUT_S", 0.3)
    with proxied(broker) as proxy:
        settings = replace(settings_of(broker), port=proxy.port)
        with running(settings, Outbox(tmp_path / "outbox.sqlite")) as running_publisher:
            wait_until(lambda: running_publisher.idle)
            proxy.hangs = True
            queue(running_publisher, *range(30))
            wait_until(lambda: proxy.accepted >= 3)
            wait_until(lambda: "does not answer" in str(running_publisher.link.reason))
            assert running_publisher.link.state == "away"
            assert running_publisher.report().depth == 30
            proxy.hangs = False
            with broker.subscriber() as subscriber:
                wait_until(lambda: running_publisher.idle)
                del subscriber


def test_publisher_hanging_broker_at_start_does_not_keep_it_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.2)
    with socket.create_server((HOST, 0)) as silent, running(BrokerSettings(HOST, "auscult-test", silent.getsockname()[1])) as hanging:
        wait_until(lambda: hanging.link.attempts >= 2)
        hanging.check()
        assert hanging.link.state == "away"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_publisher_two_nodes_with_one_client_id_know_it_and_keep_the_peace(
    broker: Broker, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(settings_of(broker), protocol=protocol)  # type: ignore[arg-type]
    caplog.set_level(logging.INFO, "auscult.mqtt")
    nodes = [Publisher(settings, STATUS, backoff=Backoff(0.05, 0.1), refusal_wait_s=3600.0) for _ in range(2)]
    for node in nodes:
        node.start()
    wait_until(lambda: any(node.link.state == "contested" for node in nodes))
    loser = next(node for node in nodes if node.link.state == "contested")
    winner = next(node for node in nodes if node is not loser)
    wait_until(lambda: winner.link.state == "connected" and winner.idle)
    assert "client id 'auscult-test'" in str(loser.link.reason)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert nodes[0].link.connections + nodes[1].link.connections <= 8
    for node in nodes:
        node.stop()


def test_publisher_expired_certificate_at_start_waits_and_connects_when_it_is_renewed(make_broker: MakeBroker, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.valid_for = timedelta(minutes=-1)
    broker = make_broker(authority=authority)
    settings = replace(settings_of(broker), tls=TlsSettings(authority.ca_file))
    with running(settings, Outbox(tmp_path / "outbox.sqlite")) as publisher:  # no error: this device's clock may be wrong
        queue(publisher, 0)
        link = publisher.link
        assert link.state == "refused"
        assert str(link.reason).startswith("the broker's certificate is out of date (certificate has expired)")
        authority.valid_for = timedelta(days=1)
        authority.issue("localhost")
        broker.stop()
        broker.start()
        wait_until(lambda: publisher.idle)


@pytest.mark.parametrize(("is_stranger", "reason"), [(False, "certificate expired"), (True, "unknown ca")])
def test_publisher_own_certificate_that_the_broker_does_not_take_is_named(
    make_broker: MakeBroker, tmp_path: Path, is_stranger: bool, reason: str
) -> None:
    authority = Authority(tmp_path)
    broker = make_broker(authority=authority, require_certificate=True)
    issuer = Authority(tmp_path, "somebody else") if is_stranger else authority
    issuer.valid_for = timedelta(days=1) if is_stranger else timedelta(minutes=-1)
    publisher = Publisher(
        replace(settings_of(broker), tls=TlsSettings(authority.ca_file, *issuer.issue("node1"))), STATUS, backoff=Backoff(0.01, 0.02)
    )
    # TLS 1.3: the broker complains only after the handshake, and a reset may overtake the complaint.
    publisher._tried.set()
    publisher.start()
    wait_until(lambda: publisher.link.state == "refused")
    assert f"does not accept our certificate ({reason}): check mqtt.tls.cert_file" in str(publisher.link.reason)
    publisher.stop()


def test_publisher_network_thread_survives_unexpected_errors(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(settings_of(broker)) as publisher:
        wait_until(lambda: publisher.idle)
        with monkeypatch.context() as patch:
            patch.setattr(connection.Connection, "publish", lambda *_: 1 / 0)
            queue(publisher, 0)
            wait_until(lambda: "ZeroDivisionError" in str(publisher.link.reason))
        wait_until(lambda: publisher.idle)


def test_publisher_restart_delivers_what_the_last_run_left(make_broker: MakeBroker, tmp_path: Path) -> None:
    broker = make_broker(start=False)
    path = tmp_path / "outbox.sqlite"
    for first in (0, 40):
        with running(settings_of(broker), Outbox(path)) as publisher:
            start = publisher.next_seq("pump1") - first
            queue(publisher, *range(first, first + 40))
    broker.start()
    with broker.subscriber(EVENT) as subscriber, running(settings_of(broker), Outbox(path)) as publisher:
        wait_until(lambda: publisher.idle)
        queue(publisher, 80)
        subscriber.wait_for(lambda s: len(s.of("event")) == 81)
        assert numbers(subscriber) == list(range(81))
        assert [json.loads(text)["replayed"] for text in subscriber.texts("event")] == [True] * 80 + [False]
        assert publisher.next_seq("pump1") == start + 81
