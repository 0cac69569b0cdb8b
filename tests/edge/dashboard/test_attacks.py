"""What strangers may try: each thing is refused, with at most one line in the log, and the page lives on."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.publish import multiple, single

from edge.dashboard.dashboard import MOST_CONNECTIONS
from edge.dashboard.guard import LARGEST_BODY
from edge.dashboard.hub import MOST_PAGES
from edge.dashboard.password import Password, hash_password
from edge.dashboard.sessions import ATTEMPTS
from edge.dashboard.settings import Address
from edge.mqtt.timestamp import timestamp
from tests.broker import HOST, Broker
from tests.edge.dashboard.served import Client, served, serving, settings, wait_for

PASSWORD = "correct horse"


@pytest.fixture
def client(broker: Broker, tmp_path: Path) -> Iterator[Client]:
    with serving(broker, tmp_path) as client:
        yield client


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING and record.name.startswith("auscult")]


def assert_alive(client: Client) -> None:
    assert client.get("/api/fleet").status == 200


def test_wrong_password_is_refused_in_one_line_and_then_slowly(broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serving(broker, tmp_path, PASSWORD) as client:
        for _ in range(ATTEMPTS):
            assert client.log_in("wrong horse").status == 403
        assert client.log_in(PASSWORD).status == 429
        assert warnings(caplog) == ["127.0.0.1 log in: refused a wrong password"]


def test_page_with_a_password_tells_strangers_nothing(broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path, PASSWORD) as client:
        client.session()
        for path in ("/api/fleet", "/api/live", "/api/events", "/api/events.csv", "/api/source/a/b", "/api/event/a/b/c", "/clips/a/b.flac"):
            assert client.get(path).status == 401, path
        assert client.post("/api/command/a/mark", {}).status == 401
        assert client.get("/").status == 200
        assert client.log_in(PASSWORD).status == 200
        assert client.get("/api/fleet").status == 200
        stolen = client.cookie
        assert client.post("/api/logout", {}).status == 200
        assert client.get("/api/fleet", Cookie=stolen).status == 401


def test_session_outlives_a_restart_of_the_server(broker: Broker, tmp_path: Path) -> None:
    secret = Password(hash_password(PASSWORD))
    with served(settings(broker, tmp_path, password=secret)) as client:
        assert client.log_in(PASSWORD).status == 200
        port = int(client.host.rpartition(":")[2])
        cookie = client.cookie
    with served(settings(broker, tmp_path, password=secret, address=Address("127.0.0.1", port))) as client:
        assert client.get("/api/fleet", Cookie=cookie).status == 200


def test_cookie_is_for_this_page_alone(client: Client) -> None:
    client.cookie = ""
    cookie = client.get("/api/session").headers["set-cookie"]
    assert "; HttpOnly" in cookie
    assert "; SameSite=strict" in cookie


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "localhost.evil.example", "127.0.0.1@evil.example", "", "[::1", "a b"]
)
def test_foreign_host_is_refused(client: Client, host: str, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", int(client.host.rpartition(":")[2])), timeout=10) as sock:
            sock.sendall(f"GET /api/fleet HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert sock.recv(100).startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))
    assert len([line for line in warnings(caplog) if "refused a request for the host" in line]) <= 1
    assert_alive(client)


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:8642", "192.168.1.7:80"])
def test_own_host_is_taken_through_a_tunnel_too(client: Client, host: str) -> None:
    assert client.get("/api/fleet", Host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1:99999999"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_command_from_a_foreign_page_is_refused(client: Client, headers: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        assert client.post("/api/command/a/mark", {"event": "x"}, **headers).status == 403
    assert len(warnings(caplog)) == 1
    assert "refused a request from the origin" in warnings(caplog)[0]
    assert_alive(client)


def test_foreign_page_can_neither_read_nor_make_the_node_publish(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Without a password a page of any site could ask, on the same computer: that it cannot read the answer is not enough."""
    for path in ("/api/live?node=a&source=b", "/api/fleet", "/api/events.csv", "/clips/a/b.flac", "/api/session"):
        assert client.get(path, Origin="https://evil.example").status == 403
        assert client.get(path, Sec_Fetch_Site="cross-site").status == 403
    assert not client.dashboard.hub.is_watched
    assert client.get("/", Sec_Fetch_Site="cross-site").status == 200  # a link to the page
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("token", ["", "0" * 64, "ü", "of another session"])
def test_command_without_the_page_s_token_is_refused(client: Client, token: str, caplog: pytest.LogCaptureFixture) -> None:
    if token == "of another session":
        stranger = Client(client.dashboard)
        stranger.session()
        token = stranger.token
    for _ in range(3):
        reply = client.post("/api/command/a/mark", {"event": "x"}, X_Auscult_Token=token.encode().decode("latin-1"))
        assert (reply.status, reply.json()["error"]) == (403, "the page is out of date; load it again")
    assert warnings(caplog) == ["127.0.0.1 the page is out of date; load it again: refused /api/command/a/mark without the page's token"]
    assert_alive(client)


def test_form_of_another_page_cannot_stand_for_json(client: Client) -> None:
    assert client.post("/api/command/a/mark", {}, Content_Type="text/plain").status == 415


def test_other_methods_are_none(client: Client) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        assert client.ask(method, "/api/fleet").status == 405
    assert client.get("/api/login").status == 405


def test_every_answer_forbids_foreign_script_and_frames(client: Client) -> None:
    for path in ("/", "/static/app.js", "/api/fleet", "/nowhere"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    page = client.get("/").body.decode()
    assert "<style" not in page
    assert "style=" not in page
    assert "http://" not in page
    assert "https://" not in page


NAMES = [
    "../secret.flac",
    "..%2fsecret.flac",
    "%2e%2e/secret.flac",
    "%2e%2e%2fsecret.flac",
    "..%5csecret.flac",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "pump1-20261120T100000Z-01HF%00.flac",
    "pump1-20261120T100000Z-01HF.flac%00",
    "%0apump1-20261120T100000Z-01HF.flac",
    "pump1-20261120T100000Z-01HF.json",
    "pump1-20261120T100000Z-link.flac",
    "pump1-20261120T100000Z-folder.flac",
    ".hidden",
    "%ff%fe",
    "a" * 5000,
]


@pytest.mark.parametrize("name", NAMES)
def test_clip_name_never_leaves_its_folder(broker: Broker, tmp_path: Path, name: str) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    (tmp_path / "secret.flac").write_bytes(b"secret")
    (clips / "pump1-20261120T100000Z-link.flac").symlink_to(tmp_path / "secret.flac")
    (clips / "pump1-20261120T100000Z-folder.flac").mkdir()
    (clips / "pump1-20261120T100000Z-01HF.json").write_bytes(b"{}")
    (clips / "pump1-20261120T100000Z-01HF.flac").write_bytes(b"fLaC")
    with serving(broker, tmp_path, node="hall", clips=clips) as client:
        reply = client.get(f"/clips/hall/{name}")
        assert reply.status == 404
        assert b"secret" not in reply.body
        right = client.get("/clips/hall/pump1-20261120T100000Z-01HF.flac")
        assert (right.status, right.body, right.headers["content-type"]) == (200, b"fLaC", "audio/flac")
        assert client.get("/clips/other/pump1-20261120T100000Z-01HF.flac").status == 404


def test_static_files_are_those_of_the_page(client: Client) -> None:
    assert client.get("/static/app.js").headers["content-type"].startswith("text/javascript")
    for path in ("/static/../web.py", "/static/..%2fweb.py", "/static/%2e%2e/web.py", "/static/__init__.py", "/static/", "/../etc/passwd"):
        assert client.get(path).status == 404, path


def test_large_body_is_refused_whether_or_not_it_says_so(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    for chunked in (False, True):
        connection = client.connection()
        headers = {"Origin": f"http://{client.host}", "Content-Type": "application/json", "X-Auscult-Token": client.token}
        body: Any = (b"x" * 65536 for _ in range(160)) if chunked else b"x" * 10_485_760
        try:
            connection.request("POST", "/api/command/a/mark", body, {**headers, "Cookie": client.cookie}, encode_chunked=chunked)
            assert connection.getresponse().status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before it was sent
        finally:
            connection.close()
    assert client.post("/api/command/a/mark", {"note": "x" * LARGEST_BODY}).status == 413
    assert warnings(caplog) == ["127.0.0.1 too much: refused a body of more than 16 KB"]
    assert_alive(client)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"{" * 10_000, b'{"password": 1}', b'{"password": {}}'])
def test_body_that_is_no_object_is_refused(broker: Broker, tmp_path: Path, body: bytes) -> None:
    with serving(broker, tmp_path, PASSWORD) as client:
        client.session()
        headers = {"Origin": f"http://{client.host}", "Content-Type": "application/json", "X-Auscult-Token": client.token}
        assert client.ask("POST", "/api/login", body, **headers).status == 400


def test_client_that_never_finishes_its_request_is_cut_off(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.web_protocol.REQUEST_S", 0.5)
    monkeypatch.setattr("edge.dashboard.guard.BODY_S", 0.5)
    address = client.host.split(":")
    slow_body = (
        f"POST /api/login HTTP/1.1\r\nHost: {client.host}\r\nOrigin: http://{client.host}\r\nContent-Type: application/json\r\n"
        f"X-Auscult-Token: {client.token}\r\nCookie: {client.cookie}\r\nContent-Length: 100\r\n\r\n{{"
    )
    for begun in ("", "GET /api/fl", f"GET / HTTP/1.1\r\nHost: {client.host}\r\nX: ", slow_body):
        with socket.create_connection((address[0], int(address[1])), timeout=10) as sock:
            sock.sendall(begun.encode())
            received = b"".join(iter(partial(_received, sock), b""))
            assert received == b"" or received.startswith(b"HTTP/1.1 408")
    assert_alive(client)


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except ConnectionResetError:
        return b""


def test_page_that_does_not_read_is_cut_off_and_the_others_go_on(client: Client, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.web_protocol.READER_S", 0.5)
    monkeypatch.setattr("edge.dashboard.hub.MAILBOX_BYTES", 64 * 1024)
    single("auscult/hall/pump1/availability", b"online", 1, True, HOST, broker.port)
    wait_for(lambda: client.get("/api/fleet").json()["sources"] or None)
    host, port = client.host.split(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((host, int(port)))
    sock.sendall(f"GET /api/live?node=hall&source=pump1 HTTP/1.1\r\nHost: {client.host}\r\nCookie: {client.cookie}\r\n\r\n".encode())
    wait_for(lambda: client.dashboard.hub.is_watched or None)
    heads = {f"head{index}": 0.1234 for index in range(40)}
    payload = json.dumps({"t_end": timestamp(time.time()), "score": 0.5, "heads": heads})
    deadline_s = time.monotonic() + 60.0
    while client.dashboard.hub.is_watched:
        assert time.monotonic() < deadline_s
        multiple([("auscult/hall/pump1/score", payload, 0, False)] * 200, HOST, broker.port)
        assert_alive(client)
    sock.close()


def test_more_pages_than_there_may_be_are_refused(client: Client) -> None:
    connections = []
    for _ in range(MOST_PAGES):
        connection = client.connection()
        connection.request("GET", "/api/live", headers={"Cookie": client.cookie})
        assert connection.getresponse().status == 200
        connections.append(connection)
    assert client.get("/api/live").status == 503
    for connection in connections:
        connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()
    wait_for(lambda: None if client.dashboard.hub.is_watched else True)
    assert_alive(client)


def test_nonsense_instead_of_http_is_refused(client: Client) -> None:
    host, port = client.host.split(":")
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 100_000,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 50_000,
    ):
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            try:
                sock.sendall(nonsense)
                sock.shutdown(socket.SHUT_WR)
                answer = sock.recv(100)
            except (BrokenPipeError, ConnectionResetError):
                continue
            assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 421"))
    assert_alive(client)


DEEP = b"[" * 30_000
GARBAGE = {
    "auscult/hall/status": [b"maybe", b"\xff\xfe", b"ON"],
    "auscult/hall/info": [b"{", b"[]", b'{"sources": 1}', b'{"sources": {"a b": {}}}', DEEP],
    "auscult/hall/health": [b"\xff", b'{"t": "now", "sources": {}}', b'{"t": "2026-13-45T10:00:00.000Z", "sources": []}'],
    "auscult/hall/pump1/availability": [b"ONLINE", b"{}"],
    "auscult/hall/pump1/state": [b"on"],
    "auscult/hall/pump1/score": [
        b"1e400",
        b'{"t_end": "2026-11-20T10:00:00.000Z", "score": 1e300}',
        b"<script>alert(1)</script>",
        b"x" * 60_000,
    ],
    "auscult/hall/pump1/event": [b'{"id": "<img src=x>"}', b'{"id": "01HF0000000000000000000000", "type": "closed"}'],
    "auscult/hall/pump1/level": [b"loud"],
    "auscult/hall/pump1/cells": [b"{}", b'{"level": "AAAA"}'],
    "auscult/hall/pump1/learning": [b'{"state": 1}'],
    "auscult/hall/response/mark": [b"ok", b'{"status": "fine"}'],
    "auscult/hall x/pump1/state": [b"ON"],
    "auscult/<script>/status": [b"online"],
    "auscult/cmd/response/state": [b"ON"],
    f"auscult/{'n' * 300}/status": [b"online"],
}


def test_garbage_that_is_retained_is_one_line_each_and_shows_nothing(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for topic, payloads in GARBAGE.items():
        for payload in payloads:
            single(topic, payload, 1, True, HOST, broker.port)
    with serving(broker, tmp_path) as client:
        wait_for(lambda: len(warnings(caplog)) >= len(GARBAGE) or None)
        for topic, payloads in GARBAGE.items():
            for payload in payloads:
                single(topic, payload, 1, True, HOST, broker.port)
        single("auscult/hall/fan/state", b"ON", 1, True, HOST, broker.port)
        found = wait_for(lambda: client.get("/api/fleet").json()["sources"] or None)
        assert [source["key"] for source in found] == ["hall/fan"]
        assert client.get("/api/events").json()["events"] == []
    lines = warnings(caplog)
    assert len(lines) == len(GARBAGE)
    assert all(any(line.startswith(topic[:200]) for line in lines) for topic in GARBAGE)
    assert all("Traceback" not in line and "\n" not in line for line in lines)


def test_message_that_is_too_large_harms_nobody(broker: Broker, tmp_path: Path) -> None:
    single("auscult/hall/info", b'{"sources": {"' + b"x" * 5_000_000 + b'": {}}}', 1, True, HOST, broker.port)
    single("auscult/hall/fan/state", b"OFF", 1, True, HOST, broker.port)
    with serving(broker, tmp_path) as client:
        found = wait_for(lambda: client.get("/api/fleet").json()["sources"] or None)
        assert [source["key"] for source in found] == ["hall/fan"]


def test_flood_of_sources_has_an_end(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.fleet.MOST_MACHINES", 20)
    with serving(broker, tmp_path) as client:
        multiple([(f"auscult/hall/s{index}/state", b"OFF", 0, False) for index in range(100)], HOST, broker.port)
        wait_for(lambda: len(client.get("/api/fleet").json()["sources"]) == 20 or None)
        time.sleep(0.5)
        assert len(client.get("/api/fleet").json()["sources"]) == 20
        assert len(warnings(caplog)) <= 21


def test_event_of_a_foreign_node_does_not_reach_this_one_s_clips(broker: Broker, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    name = "pump1-20261120T100000Z-01HF.flac"
    (clips / name).write_bytes(b"fLaC")
    event = {"id": "01HF0000000000000000000000", "type": "closed", "clip": name}
    event |= {"t_start": timestamp(time.time()), "t_end": timestamp(time.time())}
    with serving(broker, tmp_path, node="hall", clips=clips) as client:
        for node in ("other", "hall"):
            single(f"auscult/{node}/pump1/event", json.dumps(event), 1, False, HOST, broker.port)
            path = f"/api/event/{node}/pump1/{event['id']}"
            wait_for(lambda path=path: client.get(path).status == 200 or None)  # type: ignore[misc]
            assert client.get(path).json()["clip_is_here"] is (node == "hall")
            assert client.get(f"{path}/picture").json() == {"picture": None, "from": None}  # it is no sound


def test_keep_alive_serves_many_requests(client: Client) -> None:
    connection: http.client.HTTPConnection = client.connection()
    for _ in range(5):
        connection.request("GET", "/api/session")
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 200
    connection.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\r\n\r\n",
        b"GET /api/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ],
    ids=["tls", "websocket"],
)
def test_nonsense_again_and_again_does_not_fill_the_log(client: Client, caplog: pytest.LogCaptureFixture, nonsense: bytes) -> None:
    host, port = client.host.split(":")
    for _ in range(10):
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.sendall(nonsense)
            assert sock.recv(100).startswith(b"HTTP/1.1 ")
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert told[0].startswith("127.0.0.1 http: refused (")
    assert_alive(client)


def test_connections_that_ask_nothing_do_not_keep_others_out(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    host, port = client.host.split(":")
    page = client.connection()
    page.request("GET", "/api/live", headers={"Cookie": client.cookie})
    assert page.getresponse().status == 200
    silent = [socket.create_connection((host, int(port)), timeout=10) for _ in range(2 * MOST_CONNECTIONS)]
    try:
        for _ in range(5):
            assert_alive(client)
        assert client.dashboard.hub.is_watched  # who is answered stays
    finally:
        for sock in (*silent, page.sock):
            sock.close()
    assert warnings(caplog) == []


def test_cookies_of_other_programs_on_this_host_lock_nobody_out(broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path, PASSWORD) as client:
        assert client.log_in(PASSWORD).status == 200
        for odd in ('a={"b": [1, 2]}', "a[b]=c", "a=b c; d", "=", b"\x01=\x02".decode("latin-1")):
            assert client.get("/api/fleet", Cookie=f"{odd}; {client.cookie}").status == 200, odd


def test_history_that_breaks_is_one_line_and_the_page_goes_on(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("edge.dashboard.event_store.EventStore.find", broken)
    for _ in range(3):
        assert client.get("/api/events").status == 503
        assert client.get("/api/events.csv").body.endswith(b"incomplete: the history cannot be read\r\n")
    assert_alive(client)
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in told] == ["history: cannot be read (disk I/O error)"]
    assert all(record.exc_info is None for record in told)


def test_mistake_of_our_own_is_one_line_and_says_so(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.event_store.EventStore.find", lambda *_: 1 / 0)
    for _ in range(3):
        assert client.get("/api/events").status == 500
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in told] == ["internal error: ZeroDivisionError: division by zero; log.level: debug tells more"]


def test_sessions_that_somebody_else_wrote_are_none(broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        client.dashboard.history.database.put("sessions", '{"a": null}')
    with serving(broker, tmp_path) as client:
        assert_alive(client)
