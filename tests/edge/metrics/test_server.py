"""Visitors who are slow, many, rude or gone: none of them holds a thread for long, and the next one is served."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from edge.metrics import server as server_module
from edge.metrics.server import CONTENT_TYPE, LONGEST_REQUEST, MOST_VISITORS, MetricsServer

TEXT = b"up 1\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetricsServer]:
    """One whose patience is short."""
    monkeypatch.setattr(server_module, "REQUEST_S", 0.5)
    monkeypatch.setattr(server_module, "ANSWER_S", 0.5)
    server = MetricsServer("127.0.0.1", 0, lambda: TEXT)
    server.start()
    yield server
    server.stop()
    wait_until(lambda: visits() == 0)


def visits() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def wait_until(is_so: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def connected(server: MetricsServer) -> socket.socket:
    return socket.create_connection(server.server_address[:2], timeout=10.0)  # type: ignore[arg-type]


def asked(server: MetricsServer, method: str = "GET", path: str = "/metrics") -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10.0)  # type: ignore[arg-type]
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read()


def test_server_answers_a_scrape_with_text(server: MetricsServer) -> None:
    assert asked(server) == (200, CONTENT_TYPE, TEXT)
    assert asked(server, path="/metrics?x=1")[0] == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("GET", "/../etc/passwd", 404), ("POST", "/metrics", 501)])
def test_server_has_one_path_and_one_method(server: MetricsServer, method: str, path: str, status: int) -> None:
    assert asked(server, method, path)[0] == status


def test_server_tells_that_the_daemon_does_not_answer() -> None:
    def stuck() -> bytes:
        raise TimeoutError("the daemon has not answered for 5 s")

    server = MetricsServer("127.0.0.1", 0, stuck)
    server.start()
    try:
        status, _, text = asked(server)
    finally:
        server.stop()
    assert (status, b"has not answered for 5 s" in text) == (503, True)


def test_server_hangs_up_on_a_request_that_trickles_in(server: MetricsServer) -> None:
    with connected(server) as slow:
        begun_s = time.monotonic()
        try:
            while time.monotonic() - begun_s < 8.0:
                slow.sendall(b"G")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - begun_s < 5.0
    assert asked(server)[0] == 200


def test_server_hangs_up_on_a_request_without_end(server: MetricsServer) -> None:
    with connected(server) as endless:
        try:
            for _ in range(1000):
                endless.sendall(b"GET /metrics HTTP/1.0\r\nX: " + b"x" * LONGEST_REQUEST)
            assert endless.recv(1) == b""
        except OSError:
            pass
    wait_until(lambda: visits() == 0)
    assert asked(server)[0] == 200


def test_server_gives_up_an_answer_that_nobody_reads(server: MetricsServer) -> None:
    server.render = lambda: b"x" * 100_000_000
    with connected(server) as deaf:
        deaf.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        wait_until(lambda: visits() == 1)
        wait_until(lambda: visits() == 0)


def test_server_turns_away_more_visitors_than_it_has_threads_and_recovers(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "REQUEST_S", 60.0)
    crowd = [connected(server) for _ in range(4 * MOST_VISITORS)]
    try:
        wait_until(lambda: visits() == MOST_VISITORS)
        turned_away = crowd[-1]
        turned_away.settimeout(10.0)
        assert turned_away.recv(1) == b""
        assert visits() == MOST_VISITORS
    finally:
        for visitor in crowd:
            visitor.close()
    wait_until(lambda: visits() == 0)
    assert asked(server)[0] == 200


def test_server_that_stops_hangs_up_on_everybody() -> None:
    server = MetricsServer("127.0.0.1", 0, lambda: TEXT)
    server.start()
    with connected(server) as visitor:
        wait_until(lambda: visits() == 1)
        begun_s = time.monotonic()
        server.stop()
        assert visitor.recv(1) == b""
        wait_until(lambda: visits() == 0)
        assert time.monotonic() - begun_s < 3.0


def test_server_listens_on_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        server = MetricsServer("::1", 0, lambda: TEXT)
    except OSError:
        pytest.skip("this computer has no IPv6")
    server.start()
    try:
        assert asked(server)[0] == 200
    finally:
        server.stop()
