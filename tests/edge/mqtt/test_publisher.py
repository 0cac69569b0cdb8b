from __future__ import annotations

import errno
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge.errors import BrokerError
from edge.mqtt.backoff import Backoff
from edge.mqtt.publisher import TRANSIENT_EXPIRY_S, Publisher
from edge.mqtt.refusal import socket_failure
from edge.mqtt.settings import BrokerSettings, TlsSettings
from edge.outbox.outbox import Outbox
from tests.broker import HOST, PASSWORD, USERNAME, Broker, MakeBroker, Subscriber
from tests.certificates import Authority

STATUS = "auscult/test/status"
EVENT = "auscult/test/pump1/event"
SCORE = "auscult/test/pump1/score"


def settings_of(broker: Broker) -> BrokerSettings:
    return BrokerSettings(HOST, "auscult-test", broker.port)


@contextmanager
def running(settings: BrokerSettings, outbox: Outbox | None = None, refusal_wait_s: float = 0.2) -> Iterator[Publisher]:
    backoff = Backoff(0.1, 0.2)
    publisher = Publisher(settings, STATUS, outbox=outbox, replays_per_s=1000.0, backoff=backoff, refusal_wait_s=refusal_wait_s)
    try:
        publisher.open()
        publisher.start()
        yield publisher
    finally:
        publisher.stop()


def queue(publisher: Publisher, *numbers: int, filling: int = 0) -> None:
    for number in numbers:
        payload = json.dumps({"n": number, "filling": "x" * filling, "replayed": False}).encode()
        publisher.queue(EVENT, payload, source="pump1", seq=publisher.next_seq("pump1"), closes=True)


def numbers(subscriber: Subscriber) -> list[int]:
    return [json.loads(text)["n"] for text in subscriber.texts("event")]


def refuses(settings: BrokerSettings, because: str) -> None:
    with pytest.raises(BrokerError, match=because), running(settings):
        pass


def wait_until(is_so: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline_s:
            pytest.fail("did not come about in time")
        time.sleep(0.01)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_publisher_every_kind_of_message_arrives_as_the_contract_says(broker: Broker, protocol: str) -> None:
    version = MQTTProtocolVersion.MQTTv5 if protocol == "5" else MQTTProtocolVersion.MQTTv311
    with broker.subscriber(protocol=version) as subscriber:
        with running(replace(settings_of(broker), protocol=protocol)) as publisher:  # type: ignore[arg-type]
            publisher.retain("auscult/test/pump1/state", b"ON")
            queue(publisher, 0)
            publisher.send(SCORE, b"0.5")
            subscriber.wait_for(lambda s: len(s.messages) == 4)
            wait_until(lambda: publisher.idle)
        subscriber.wait_for(lambda s: s.texts(STATUS) == ["online", "offline"])
    by_topic = {message.topic: message for message in subscriber.messages}
    assert {topic: message.qos for topic, message in by_topic.items()} == {STATUS: 1, "auscult/test/pump1/state": 1, EVENT: 1, SCORE: 0}
    if protocol == "5":  # MQTT 3.1.1 tells only those who come later that a message was retained
        retained = {topic for topic, message in by_topic.items() if message.retained}
        assert retained == {STATUS, "auscult/test/pump1/state"}
        assert by_topic[SCORE].expiry_s == TRANSIENT_EXPIRY_S
        assert by_topic[EVENT].expiry_s is None
    with broker.subscriber() as later:
        later.wait_for(lambda s: len(s.messages) == 2)
        assert {message.topic: message.text for message in later.messages} == {STATUS: "offline", "auscult/test/pump1/state": "ON"}


def test_publisher_broker_away_at_start_everything_but_scores_arrives_later(make_broker: MakeBroker) -> None:
    broker = make_broker(start=False)
    with running(settings_of(broker)) as publisher:
        publisher.retain("auscult/test/pump1/state", b"ON")
        publisher.send(SCORE, b"too early")
        queue(publisher, *range(50))  # more than may be in flight at once
        assert publisher.report().depth == 50
        broker.start()
        wait_until(lambda: publisher.report().depth == 0)
        queue(publisher, 50)
        wait_until(lambda: publisher.idle)
        with broker.subscriber() as subscriber:
            subscriber.wait_for(lambda s: len(s.messages) == 2)
            assert (subscriber.texts(STATUS), subscriber.texts("state"), subscriber.of(SCORE)) == (["online"], ["ON"], [])


def test_publisher_broker_restarts_queued_events_and_retained_topics_come_again(broker: Broker) -> None:
    with running(settings_of(broker)) as publisher, broker.subscriber() as subscriber:
        publisher.retain("auscult/test/info", b"info")
        queue(publisher, 0)
        subscriber.wait_for(lambda s: s.of("info") and s.of("event"))
        wait_until(lambda: publisher.idle)
        broker.stop()
        wait_until(lambda: not publisher.idle)
        queue(publisher, *range(1, 31))
        oldest_age_s = publisher.report().oldest_age_s
        assert oldest_age_s is not None
        assert oldest_age_s < 5.0
        # Listen on the port before the publisher can come back, so that nothing is missed.
        blocked = threading.Event()
        original = publisher._outgoing.connected
        publisher._outgoing.connected = lambda: (blocked.wait(10.0), original())[1]  # type: ignore[method-assign]
        broker.start()
        with broker.subscriber() as fresh:
            blocked.set()
            fresh.wait_for(lambda s: len(s.of("event")) == 30)
            assert numbers(fresh) == list(range(1, 31))
            assert all(json.loads(text)["replayed"] for text in fresh.texts("event"))
            fresh.wait_for(lambda s: s.texts("info") == ["info"] and s.texts("status") == ["online"])
        wait_until(lambda: publisher.report().depth == 0)
        assert publisher.report().dropped == 0


def test_publisher_queue_full_drops_are_counted(make_broker: MakeBroker) -> None:
    broker = make_broker(start=False)
    with running(settings_of(broker), Outbox(capacity_bytes=1300)) as publisher:
        queue(publisher, *range(12))
        report = publisher.report()
        assert (report.depth, report.dropped) == (5, 7)
        broker.start()
        wait_until(lambda: publisher.report().depth == 0)


def test_publisher_stop_without_a_broker_does_not_wait(make_broker: MakeBroker) -> None:
    broker = make_broker(start=False)
    with running(settings_of(broker)) as publisher:
        queue(publisher, 0)
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 4.0  # it would wait for 5


def test_publisher_login_right_connects(make_broker: MakeBroker) -> None:
    broker = make_broker(password=True)
    settings = replace(settings_of(broker), username=USERNAME, read_password=lambda: PASSWORD)
    with broker.subscriber() as subscriber, running(settings):
        subscriber.wait_for(lambda s: s.texts("status") == ["online"])


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("login", [(USERNAME, "wrong"), None])
def test_publisher_login_refused_at_start_raises(make_broker: MakeBroker, protocol: str, login: tuple[str, str] | None) -> None:
    settings = replace(settings_of(make_broker(password=True)), protocol=protocol)  # type: ignore[arg-type]
    if login is not None:
        settings = replace(settings, username=login[0], read_password=lambda: "wrong")
    refuses(settings, r"^mqtt://127.0.0.1:\d+: the broker refused us .*mqtt\.username")


def test_publisher_login_refused_later_is_tried_again(make_broker: MakeBroker) -> None:
    broker = make_broker(password=True)
    password = PASSWORD
    with running(replace(settings_of(broker), username=USERNAME, read_password=lambda: password)) as publisher:
        wait_until(lambda: publisher.idle)
        password = "rotated away"
        broker.stop()
        wait_until(lambda: not publisher.idle)
        broker.start()
        wait_until(lambda: "not authorised" in broker.log())
        publisher.check()
        password = PASSWORD
        wait_until(lambda: publisher.idle)


def test_publisher_tls_trusted_with_a_client_certificate_connects(make_broker: MakeBroker, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    broker = make_broker(authority=authority, require_certificate=True)
    tls = TlsSettings(authority.ca_file, *authority.issue("node1"))
    with broker.subscriber() as subscriber, running(replace(settings_of(broker), tls=tls)) as publisher:
        queue(publisher, 0, filling=100_000)  # more than one TLS record
        subscriber.wait_for(lambda s: s.of("event") and s.texts("status") == ["online"])


def test_publisher_tls_unknown_authority_raises(make_broker: MakeBroker, tmp_path: Path) -> None:
    broker = make_broker(authority=Authority(tmp_path))
    other = TlsSettings(Authority(tmp_path, "somebody else").ca_file)
    refuses(replace(settings_of(broker), tls=other), r"certificate is not trusted .*ca_file")


def test_publisher_tls_wrong_host_name_raises(make_broker: MakeBroker, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    broker = make_broker(authority=authority)
    settings = replace(settings_of(broker), host="127.0.0.2", tls=TlsSettings(authority.ca_file))
    # 127.0.0.2 is this machine too, but Mosquitto listens on 127.0.0.1 only: so pass the bytes on.
    with forwarded("127.0.0.2", broker.port) as port:
        refuses(replace(settings, port=port), r"certificate is not accepted")


def test_publisher_tls_to_a_plain_port_raises(broker: Broker, tmp_path: Path) -> None:
    tls = TlsSettings(Authority(tmp_path).ca_file)
    with answering(b"this is no TLS") as port:
        refuses(replace(settings_of(broker), port=port, tls=tls), r"TLS handshake failed .*mqtt\.port")


def test_socket_failure_reset_during_the_handshake_asks_for_the_port() -> None:
    error = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    settings = BrokerSettings(HOST, "auscult-test", tls=TlsSettings())
    assert "is mqtt.port its TLS port?" in str(socket_failure(error, settings))
    assert str(socket_failure(error, replace(settings, tls=None))) == "connection reset by peer"


@pytest.mark.parametrize(("protocol", "other"), [("5", "3.1.1"), ("3.1.1", "5")])
def test_publisher_protocol_refused_raises(protocol: str, other: str) -> None:
    # Every Mosquitto speaks both protocols. These are the four bytes with which a broker that speaks 3.1 alone refuses (MQTT 3.1.1, 3.2).
    with answering(b"\x20\x02\x00\x01") as port:
        refuses(BrokerSettings(HOST, "auscult-test", port, protocol=protocol), f"set mqtt.protocol: '{other}'")  # type: ignore[arg-type]


def test_publisher_other_side_is_no_broker_keeps_trying() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, running(BrokerSettings(HOST, "auscult-test", port)) as publisher:
        time.sleep(0.5)
        publisher.check()
        assert publisher._thread.is_alive()


def test_tls_settings_broken_files_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for settings in (TlsSettings(broken), TlsSettings(tmp_path / "missing.pem"), TlsSettings(None, broken, broken)):
        with pytest.raises(BrokerError, match=r"\.pem: cannot be used as mqtt\.tls\.(ca|cert)_file"):
            settings.context()


@contextmanager
def answering(data: bytes) -> Iterator[int]:
    """A port that answers whatever comes with `data` and closes."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5.0)


@contextmanager
def forwarded(address: str, target: int) -> Iterator[int]:
    """A port on `address` that passes one connection on to the broker."""
    with socket.create_server((address, 0)) as server:

        def pump(source: socket.socket, sink: socket.socket) -> None:
            try:
                while data := source.recv(4096):
                    sink.sendall(data)
            except OSError:
                pass

        def serve() -> None:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client, socket.create_connection((HOST, target)) as broker:
                back = threading.Thread(target=pump, args=(broker, client), daemon=True)
                back.start()
                pump(client, broker)
                broker.shutdown(socket.SHUT_RDWR)
                back.join(5.0)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5.0)


def test_publisher_message_that_mqtt_cannot_carry_is_reported_and_delays_no_other(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    with broker.subscriber() as subscriber, running(settings_of(broker)) as publisher:
        publisher.retain("auscult/test/+/state", b"ON")
        publisher.answer("auscult/test/response/#", b"{}")
        publisher.send("auscult/test/+/score", b"1")
        publisher.queue("auscult/#/event", b"{}", source="pump1", seq=publisher.next_seq("pump1"), closes=True)
        queue(publisher, 1)
        subscriber.wait_for(lambda _: numbers(subscriber) == [1])
        deadline_s = time.monotonic() + 10.0
        while not publisher.idle and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert publisher.idle
        assert publisher.link.connections == 1
    assert caplog.text.count("no such message can be sent") == 4
    assert "'auscult/test/+/state': no such message can be sent (Publish topic cannot contain wildcards.); dropped" in caplog.text


def test_publisher_broker_of_small_packets_is_reported_once_per_topic_and_for_each_event(
    make_broker: MakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    broker = make_broker(lines=["max_packet_size 300"])
    with broker.subscriber() as subscriber, running(settings_of(broker)) as publisher:
        for _ in range(3):
            publisher.retain("auscult/test/health", b"x" * 400)
            publisher.send("auscult/test/pump1/score", b"x" * 400)
        queue(publisher, 1, 2, filling=400)
        queue(publisher, 3)
        subscriber.wait_for(lambda _: numbers(subscriber) == [3])
        wait_until(lambda: publisher.idle)
    told = [record.getMessage() for record in caplog.records if "max_packet_size" in record.getMessage()]
    topics = sorted(line.partition(":")[0].strip("'") for line in told)
    assert topics == ["auscult/test/health", EVENT, EVENT, "auscult/test/pump1/score"]
    assert "'auscult/test/health': 400 bytes, and the broker accepts packets of at most 300; raise its max_packet_size; dropped" in told


def test_publisher_broker_that_lets_nothing_through_is_reported_with_a_remedy(
    make_broker: MakeBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "acl").write_text("topic read #\n", encoding="utf-8")
    (tmp_path / "acl").chmod(0o600)
    with running(settings_of(make_broker(lines=[f"acl_file {tmp_path / 'acl'}"]))) as publisher:
        for _ in range(3):
            publisher.retain("auscult/test/health", b"{}")
        wait_until(lambda: publisher.idle and "health" in caplog.text)
    line = "'auscult/test/health': the broker refused the message (not authorized); check its access rules (ACL); dropped"
    assert caplog.text.count(line) == 1


def test_publisher_broker_without_ipv4_is_reached(make_broker: MakeBroker) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = probe.getsockname()[1]
    make_broker(lines=[f"listener {port} ::1"])
    with running(BrokerSettings("::1", "auscult-test", port)) as publisher:
        wait_until(lambda: publisher.link.connections == 1)
