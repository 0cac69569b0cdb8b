"""A server of sound over HTTP or HTTPS, for sources that ffmpeg reads. A pytest plugin: see the fixture `stream_server`."""

from __future__ import annotations

import base64
import http.server
import shutil
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

RATE_HZ = 16000
BLOCK_S = 0.1
_INSTALL = "sudo apt install ffmpeg"


def require_ffmpeg() -> None:
    """Skip where ffmpeg is not installed."""
    if shutil.which("ffmpeg") is None:
        pytest.skip(f"ffmpeg is not installed; {_INSTALL}")


def wav_header(rate_hz: int = RATE_HZ) -> bytes:
    """Of 16-bit mono without an end, as live streams are sent."""
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16) + b"data\xff\xff\xff\xff"


class StreamServer:
    """Sends `sound` again and again as a WAV without an end, as fast as it would be heard; what a path sends else is in `bodies`."""

    def __init__(self, certificate: tuple[Path, Path] | None = None, rate_hz: int = RATE_HZ) -> None:
        self.rate_hz = rate_hz
        self.sound: NDArray[np.float32] = np.random.default_rng(0).uniform(-0.2, 0.2, rate_hz).astype(np.float32)  # (samples,)
        self.speed = 10.0  # times real time: ffmpeg looks at some seconds of a stream before it gives any sound
        self.login: tuple[str, str] | None = None
        self.redirect: str | None = None
        self.status = 200
        self.bodies: dict[str, bytes] = {}
        self.is_stalled = False  # connections stay, and nothing comes
        self.connections = 0
        self._certificate = certificate
        self._port = 0
        self._server: http.server.ThreadingHTTPServer | None = None
        self._cut = threading.Event()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"{'http' if self._certificate is None else 'https'}://127.0.0.1:{self._port}/stream"

    def start(self) -> None:
        """Listen, on the same port as before."""
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(BrokenPipeError, ConnectionResetError):  # whoever listened has gone
                    server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._cut = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._port = self._server.server_address[1]
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Cut every connection and take no more."""
        self._cut.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """In a thread of its own for each connection."""
        self.connections += 1
        if self.redirect is not None and request.path.startswith("/stream"):
            request.send_response(302)
            request.send_header("Location", self.redirect)
            request.end_headers()
            return
        given = request.headers.get("Authorization")
        if self.login is not None and given != "Basic " + base64.b64encode(":".join(self.login).encode()).decode():
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        request.send_response(self.status)
        if (body := self.bodies.get(request.path.partition("?")[0])) is not None:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if self.status != 200 or body is not None:
            request.wfile.write(body or b"")
            return
        request.wfile.write(wav_header(self.rate_hz))
        self._send(request)

    def _send(self, request: http.server.BaseHTTPRequestHandler) -> None:
        step, at = round(BLOCK_S * self.rate_hz), 0
        next_s = time.monotonic()
        while not self._cut.is_set():
            if not self.is_stalled:
                request.wfile.write((np.resize(np.roll(self.sound, -at), step) * 32767).astype("<i2").tobytes())
                at = (at + step) % len(self.sound)
            next_s += BLOCK_S / self.speed
            self._cut.wait(max(0.0, next_s - time.monotonic()))


def encoded(sound: NDArray[np.float32], kind: str) -> bytes:
    """`sound` (samples,) as a file of a kind that ffmpeg writes, such as flac, mp3 or ogg."""
    command = ["ffmpeg", "-loglevel", "error", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "pipe:0", "-f", kind, "pipe:1"]
    return subprocess.run(command, input=sound.astype("<f4").tobytes(), capture_output=True, check=True, timeout=60).stdout


@pytest.fixture
def stream_server() -> Iterator[StreamServer]:
    """A server that runs while the test does."""
    require_ffmpeg()
    server = StreamServer()
    server.start()
    yield server
    server.stop()
