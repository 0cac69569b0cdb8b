"""A camera that speaks RTSP (RFC 2326) with its sound inside the connection, as far as ffmpeg asks for it. No pytest in here."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
import time
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
PACKET = 160  # samples: 20 ms
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:picture\r\n"
    f"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/{RATE_HZ}/1\r\na=control:sound\r\n"
)


class RtspServer:
    """Sends `sound` again and again, 16 bits at 8000 Hz; with a login, to those who know the digest of it."""

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self.sound: NDArray[np.float32] = np.random.default_rng(0).uniform(-0.2, 0.2, RATE_HZ).astype(np.float32)  # (samples,)
        self.asked_for: list[str] = []  # what was set up
        self.is_stalled = False
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/camera"
        self._cut = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Cut every connection and take no more."""
        self._cut.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept would keep it open
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            stream = connection.makefile("rb")
            while line := stream.readline().decode():
                method, address, _ = line.split()
                headers = {}
                while (header := stream.readline().decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                status, more, body = self._answer(method, address, headers)
                fields = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', '0')}", "Session: 1", *more, f"Content-Length: {len(body)}"]
                connection.sendall(("\r\n".join(fields) + "\r\n\r\n" + body).encode())
                if method == "PLAY" and status.startswith("200"):
                    threading.Thread(target=self._send, args=(connection,), daemon=True).start()

    def _answer(self, method: str, address: str, headers: dict[str, str]) -> tuple[str, list[str], str]:
        if self._login is not None and method != "OPTIONS" and not self._knows_us(method, headers.get("authorization", "")):
            return "401 Unauthorized", ['WWW-Authenticate: Digest realm="camera", nonce="abc"'], ""
        if method == "DESCRIBE":
            return "200 OK", ["Content-Type: application/sdp", f"Content-Base: {address}/"], _SDP
        if method == "SETUP":
            self.asked_for.append(address.rpartition("/")[2])
            if "TCP" not in headers["transport"]:
                return "461 Unsupported Transport", [], ""
            return "200 OK", [f"Transport: {headers['transport']}"], ""
        return "200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"], ""

    def _knows_us(self, method: str, header: str) -> bool:
        assert self._login is not None
        given = dict(re.findall(r'(\w+)="([^"]*)"', header))
        user, password = self._login
        who = hashlib.md5(f"{user}:camera:{password}".encode()).hexdigest()
        what = hashlib.md5(f"{method}:{given.get('uri', '')}".encode()).hexdigest()
        return given.get("response") == hashlib.md5(f"{who}:abc:{what}".encode()).hexdigest()

    def _send(self, connection: socket.socket) -> None:
        pcm = (self.sound * 32767).astype(">i2")
        next_s, number = time.monotonic(), 0
        with suppress(OSError):
            while not self._cut.is_set():
                at = (number * PACKET) % len(pcm)
                packet = struct.pack(">BBHII", 0x80, 97, number & 0xFFFF, number * PACKET, 1) + pcm[at : at + PACKET].tobytes()
                if not self.is_stalled:
                    connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                number += 1
                next_s += PACKET / RATE_HZ
                self._cut.wait(max(0.0, next_s - time.monotonic()))
            connection.shutdown(socket.SHUT_RDWR)
