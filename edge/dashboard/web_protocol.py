"""HTTP/1.1 as uvicorn speaks it, with patience that ends: for a request that does not come, and for a reader that does not read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.dashboard.complaints import LOG, Complaints

SPARE: Final = 10  # connections below the limit at which uvicorn turns away
REQUEST_S: Final = 15.0  # for a request's line and headers to arrive
READER_S: Final = 30.0  # for a reader to take what waits in the socket


class PatientProtocol(H11Protocol):
    """A connection that holds nothing open for ever, and makes room for others while it asks nothing."""

    def __init__(self, *args: Any, complaints: Complaints, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = _ClientLog(complaints, self)  # type: ignore[assignment]  # as much of a logger as is used
        self._made_s = 0.0  # by the event loop's clock
        self._request_timer = _Timer(self.loop, REQUEST_S, self._give_up)
        self._reader_timer = _Timer(self.loop, READER_S, self._give_up)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come: it has something to ask, or goes."""
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency - SPARE:
            self._make_room()
        super().connection_made(transport)
        self._made_s = self.loop.time()
        self._request_timer.start()

    def _make_room(self) -> None:
        """Somebody else's connection ends: the oldest of those that wait for a request."""
        waiting = [one for one in self.connections if isinstance(one, PatientProtocol) and not one.is_answering]
        if waiting:
            min(waiting, key=lambda one: one._made_s)._give_up()

    @property
    def is_answering(self) -> bool:
        """Whether a request has come whose answer is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Data has come: of the head of a request while none is answered."""
        super().data_received(data)
        if self.is_answering:
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
        self.connections.discard(self)  # at once: it makes room
        self.transport.abort()


class _ClientLog:
    """What uvicorn would log, once for each address: strangers could fill the journal."""

    level = logging.WARNING

    def __init__(self, complaints: Complaints, protocol: PatientProtocol) -> None:
        self._complaints = complaints
        self._protocol = protocol

    def warning(self, message: str, *values: object) -> None:
        """A client has sent nonsense."""
        address = self._protocol.client[0] if self._protocol.client else "somebody"
        self._complaints.say(f"{address} http", f"refused ({message % values if values else message})")

    def error(self, message: str, *values: object, exc_info: BaseException | None = None) -> None:
        """A mistake of ours; the log has all of it at level debug."""
        LOG.debug(message, *values, exc_info=exc_info)
        told = f"{type(exc_info).__name__}: {exc_info}" if exc_info is not None else message
        self._complaints.say("internal error", f"{told}; log.level: debug tells more")


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
