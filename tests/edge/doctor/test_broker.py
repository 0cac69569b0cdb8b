"""The doctor at a real Mosquitto."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from edge.config.schema import MqttConfig, TlsConfig
from edge.doctor.broker import check_broker
from edge.doctor.finding import Finding, examined
from tests.broker import PASSWORD, USERNAME, Broker, MakeBroker
from tests.certificates import Authority


def _check(
    broker: Broker,
    tmp_path: Path,
    *,
    username: str | None = None,
    password: str = PASSWORD,
    tls: TlsConfig | None = None,
    mode: int = 0o640,
    protocol: Literal["5", "3.1.1"] = "5",
) -> Finding:
    secret = tmp_path / "secret"
    secret.write_text(password, encoding="utf-8")
    secret.chmod(mode)
    password_file = secret if username else None
    mqtt = MqttConfig(
        host=broker.host,
        port=broker.port,
        client_id="node",
        username=username,
        password_file=password_file,
        tls=tls,
        protocol=protocol,
    )
    return examined("broker", lambda: check_broker(mqtt, "cellar"))


@pytest.mark.parametrize(("protocol", "heard"), [("5", ["auscult/cellar/doctor"]), ("3.1.1", [])])
def test_broker_that_takes_us_is_well_and_keeps_nothing(
    broker: Broker, tmp_path: Path, protocol: Literal["5", "3.1.1"], heard: list[str]
) -> None:
    with broker.subscriber("#") as subscriber:
        finding = _check(broker, tmp_path, protocol=protocol)
        subscriber.wait_for(lambda _: len(subscriber.messages) == len(heard))
        assert [(message.topic, message.payload) for message in subscriber.messages] == [(topic, b"") for topic in heard]
    with broker.subscriber("#") as subscriber:
        assert _check(broker, tmp_path, protocol="3.1.1").verdict == "OK"
        assert subscriber.messages == []
    assert finding.verdict == "OK"
    assert "in plain text, without a login" in finding.found
    assert " as node-doctor " in broker.log()  # never with the daemon's own id


def test_broker_with_a_login_takes_the_right_password_only(make_broker: MakeBroker, tmp_path: Path) -> None:
    broker = make_broker(password=True)
    assert _check(broker, tmp_path, username=USERNAME).verdict == "OK"
    for finding in (_check(broker, tmp_path, username=USERNAME, password="wrong"), _check(broker, tmp_path)):
        assert finding.verdict == "FAIL"
        assert "mqtt.username" in finding.found


def test_broker_password_that_everybody_may_read_is_a_warning(make_broker: MakeBroker, tmp_path: Path) -> None:
    finding = _check(make_broker(password=True), tmp_path, username=USERNAME, mode=0o644)
    assert finding.verdict == "WARN"
    assert f"logged in as {USERNAME}" in finding.found
    assert str(tmp_path / "secret") in finding.remedy


def test_broker_whose_access_rules_let_nothing_through_fails(make_broker: MakeBroker, tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic read #\n", encoding="utf-8")
    (tmp_path / "acl").chmod(0o600)
    finding = _check(make_broker(lines=[f"acl_file {tmp_path / 'acl'}"]), tmp_path)
    assert finding.verdict == "FAIL"
    assert finding.found.endswith("connected, but may not publish (not authorized)")
    assert finding.remedy == "let this client write auscult/cellar/# in its access rules"


def test_broker_that_takes_small_packets_only_is_a_warning(make_broker: MakeBroker, tmp_path: Path) -> None:
    finding = _check(make_broker(lines=["max_packet_size 500"]), tmp_path)
    assert finding.verdict == "WARN"
    assert "takes packets of at most 500 bytes" in finding.found
    assert "max_packet_size" in finding.remedy


def test_broker_with_tls_is_verified(make_broker: MakeBroker, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    broker = make_broker(authority=authority)
    assert "over TLS" in _check(broker, tmp_path, tls=TlsConfig(ca_file=authority.ca_file)).found
    stranger = _check(broker, tmp_path, tls=TlsConfig())
    assert stranger.verdict == "FAIL"
    assert "mqtt.tls.ca_file" in stranger.found


def test_broker_that_is_away_or_a_bad_file_fails_in_words(make_broker: MakeBroker, tmp_path: Path) -> None:
    broker = make_broker(start=False)
    away = _check(broker, tmp_path)
    assert away.verdict == "FAIL"
    assert "connection refused" in away.found
    assert "mqtt.port" in away.remedy
    assert _check(broker, tmp_path, username="u", password="").verdict == "FAIL"
    assert _check(broker, tmp_path, tls=TlsConfig(ca_file=tmp_path / "none.pem")).verdict == "FAIL"


def test_broker_password_that_only_the_service_may_read_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    mqtt = MqttConfig(host="localhost", username="u", password_file=Path("/run/credentials/auscult.service/mqtt-password"))
    assert check_broker(mqtt, "cellar").verdict == "WARN"
