"""The network between the daemon and the broker: a TCP proxy that can be cut as a cable is, without a word to either end."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from tests.broker import HOST

PIECE_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Network:
    """Passes bytes on while it is whole. What is said while it is cut stays on the way, as in TCP's buffers, and so does a goodbye."""

    def __init__(self, target: int) -> None:
        """`target` is the broker's port on this machine."""
        self._target = target
        self._server = socket.create_server((HOST, 0))
        self.port: int = self._server.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closing = False
        threading.Thread(target=self._serve, name="network", daemon=True).start()

    @property
    def is_whole(self) -> bool:
        """Whether bytes come through."""
        return self._whole.is_set()

    def cut(self) -> None:
        """Nothing comes through any more."""
        self._whole.clear()

    def heal(self, *, forgetful: bool) -> None:
        """It is whole again; what was on its way arrives, unless the network has forgotten its connections, and then both ends hear so."""
        if forgetful:
            for ends in self._pairs:
                for end in ends:
                    _reset(end)
        self._whole.set()

    def close(self) -> None:
        """Pull everything down."""
        self._closing = True
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.heal(forgetful=True)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self._whole.wait()
        try:
            broker = socket.create_connection((HOST, self._target))
        except OSError:
            _reset(client)
            return
        self._pairs.append((client, broker))
        for source, sink in ((client, broker), (broker, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(PIECE_BYTES):
                self._whole.wait()
                sink.sendall(data)
        except OSError:
            pass
        self._whole.wait()
        for end in (source, sink):
            _close(end)


def _reset(end: socket.socket) -> None:
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    except OSError:
        return  # closed already
    _close(end)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed by the other thread
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
    end.close()
