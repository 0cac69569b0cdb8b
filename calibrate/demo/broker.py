"""An MQTT broker inside this process, for the demo: amqtt in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from types import TracebackType

from edge.errors import AuscultError

HOST = "127.0.0.1"
START_TIMEOUT_S = 20.0


def free_port() -> int:
    """A free TCP port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class DemoBroker:
    """A broker for MQTT 3.1.1 on a free loopback port, open to everyone on this machine while the `with` block runs."""

    def __init__(self) -> None:
        self.host = HOST
        self.port = 0
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="demo-broker", daemon=True)

    def __enter__(self) -> DemoBroker:
        """Start, and return when connections are accepted.

        Raises
        ------
        AuscultError
            The broker did not start.
        """
        for name in ("amqtt", "transitions"):  # they report every packet; what matters is raised
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.port = free_port()
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S):
            raise AuscultError(f"{self.host}:{self.port}", f"the demo's broker did not start within {START_TIMEOUT_S:.0f} s")
        if self._failure is not None:
            raise AuscultError(f"{self.host}:{self.port}", f"the demo's broker did not start: {self._failure}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Stop; clients still connected are cut off."""
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_TIMEOUT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        from amqtt.broker import Broker

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        await broker.start()
        self._ready.set()
        await self._stop.wait()
        await broker.shutdown()
