"""What an open page is sent as it happens: server-sent events over plain HTTP.

They need no package and no protocol of their own, pass proxies, bring the session's cookie along, and browsers come back by themselves.
Nothing has to be sent the other way: commands are requests, each with its token and its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from starlette.types import Receive, Scope, Send

from edge.dashboard.hub import Hub, Mailbox

BEAT_S: Final = 10.0  # a page that hears nothing for longer says so


class LiveResponse:
    """One page: first what it needs to begin, then its mailbox, until either side goes."""

    def __init__(self, hub: Hub, mailbox: Mailbox, first: Iterable[bytes], is_known: Callable[[], bool]) -> None:
        """`is_known` says whether the page is still logged in."""
        self._hub = hub
        self._mailbox = mailbox
        self._first = first
        self._is_known = is_known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the page is closed."""
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.close(self._mailbox)
            for task in (sending, leaving):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await task

    async def _send(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"retry: 2000\n\n" + b"".join(self._first), "more_body": True})
        while not self._mailbox.is_full and self._is_known():
            message = await self._mailbox.take(BEAT_S)
            await send({"type": "http.response.body", "body": message or b"event: beat\ndata: {}\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
