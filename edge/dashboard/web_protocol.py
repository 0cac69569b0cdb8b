"""HTTP/1.1 as uvicorn speaks it, with patience that ends: for a request that does not come, and for a reader that does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S: Final = 15.0  # for a request's line and headers to arrive
READER_S: Final = 30.0  # for a reader to take what waits in the socket


class PatientProtocol(H11Protocol):
    """A connection that holds nothing open for ever."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._request_timer = _Timer(self.loop, REQUEST_S, self._give_up)
        self._reader_timer = _Timer(self.loop, READER_S, self._give_up)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come: it has something to ask, or goes."""
        super().connection_made(transport)
        self._request_timer.start()

    def data_received(self, data: bytes) -> None:
        """Data has come: of the head of a request while none is answered."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._request_timer.stop()
        else:
            self._request_timer.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._request_timer.stop()
        self._reader_timer.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The socket takes no more."""
        super().pause_writing()
        self._reader_timer.start()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._reader_timer.stop()
        super().resume_writing()

    def _give_up(self) -> None:
        self.transport.abort()


class _Timer:
    """Calls something once, unless it is stopped before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._call = call
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to count; one that counts already goes on."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._call)

    def stop(self) -> None:
        """Count no longer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
