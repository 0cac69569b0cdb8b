"""Serves one text over HTTP with few threads, short requests and deadlines, so that no client can disturb the daemon."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

LOG = logging.getLogger("auscult.metrics")
PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_VISITORS = 8  # at a time; a further one is turned away
REQUEST_S = 5.0  # for the request to come in, however slowly
ANSWER_S = 10.0  # for the answer to go out
LONGEST_REQUEST = 8192  # bytes
POLL_S = 0.2  # between looks at whether to end

Render = Callable[[], bytes]


class MetricsServer(ThreadingMixIn, TCPServer):
    """Listens from the moment it is made, answers between `start` and `stop`."""

    allow_reuse_address = True  # a restart need not wait for the connections of the run before
    daemon_threads = True
    block_on_close = False  # `stop` ends them
    request_queue_size = 4 * MOST_VISITORS

    def __init__(self, host: str, port: int, render: Render) -> None:
        """Raises OSError when nobody can listen there; `render` may raise TimeoutError, which is answered with 503."""
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self.render = render
        self._visitors: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(POLL_S,), name="metrics", daemon=True)
        super().__init__(address[:2], _Visit)  # type: ignore[arg-type]  # a family that we do not know has other addresses

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._thread.ident is not None:
            self.shutdown()
        self.server_close()
        with self._lock:
            for visitor in self._visitors:
                _hang_up(visitor)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for each visitor, up to a number of them."""
        with self._lock:
            has_room = len(self._visitors) < MOST_VISITORS
            if has_room:
                self._visitors.add(request)
        if has_room:
            super().process_request(request, client_address)
        else:
            LOG.debug("%s: turned away, %d others are served", client_address, MOST_VISITORS)
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """The visit is over."""
        with self._lock:
            self._visitors.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that fails is only a line at debug level."""
        LOG.debug("%s: not answered", client_address, exc_info=True)


class _Visit(BaseHTTPRequestHandler):
    """One request and its answer; the connection ends with it."""

    server: MetricsServer
    server_version, sys_version = "auscult", ""

    def handle(self) -> None:
        """Read the whole request first, within a bound of bytes and of seconds, and let the standard library take it from there."""
        self.rfile.close()
        self.rfile = io.BytesIO(_request(self.connection))
        self.connection.settimeout(ANSWER_S)  # `sendall` may take no longer than this
        self.handle_one_request()

    def do_GET(self) -> None:
        """The metrics, at one path."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND, explain=f"The metrics are at {PATH}.")
            return
        try:
            text = self.server.render()
        except TimeoutError as error:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: Any) -> None:
        """A scrape every few seconds is no news."""
        LOG.debug(f"%s: {format}", self.client_address[0], *arguments)


def _request(connection: socket.socket) -> bytes:
    """The head of a request, as far as it came. Raises OSError when it does not come within `REQUEST_S`, or is too long."""
    ends_s = time.monotonic() + REQUEST_S
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) >= LONGEST_REQUEST:
            raise OSError(f"a request of more than {LONGEST_REQUEST} bytes")
        connection.settimeout(max(0.001, ends_s - time.monotonic()))
        part = connection.recv(LONGEST_REQUEST - len(head))
        if not part:
            break
        head += part
    return head


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)
