"""The pages that are open: each has a mailbox with a bound, and whoever does not empty it is cut off."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from edge.dashboard.fleet import Fleet

MOST_PAGES: Final = 50
MAILBOX_BYTES: Final = 512 * 1024
TICK_S: Final = 0.5
DETAILS: Final = frozenset({"score", "level", "cells", "health"})  # for pages that show this source; all else goes to every page


class CrowdedError(Exception):
    """There are as many pages open as may be."""


class Mailbox:
    """What waits for one page; used in the event loop."""

    def __init__(self, key: str | None) -> None:
        """`key` is the source that the page shows; None for none."""
        self.key = key
        self.is_full = False
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Add a message; a mailbox that is full takes no more, ever."""
        if self._bytes + len(message) > MAILBOX_BYTES:
            self.is_full = True
        if not self.is_full:
            self._waiting.append(message)
            self._bytes += len(message)
        self._changed.set()

    async def take(self, timeout_s: float) -> bytes:
        """All that waits, at once; empty after `timeout_s` without anything."""
        if not self._waiting and not self.is_full:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), timeout_s)
            except asyncio.TimeoutError:  # before Python 3.11 not the built-in one
                return b""
        whole = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return whole


class Hub:
    """`tell` is called from any thread, everything else in the event loop."""

    def __init__(self, fleet: Fleet, on_watched: Callable[[str, bool], None]) -> None:
        """`on_watched(key, is_watched)` is told when the first page shows a source, and when the last one does no longer."""
        self._fleet = fleet
        self._on_watched = on_watched
        self._loop: asyncio.AbstractEventLoop | None = None
        self._mailboxes: set[Mailbox] = set()
        self._watched: Counter[str] = Counter()
        self._told: dict[str, dict[str, Any]] = {}  # by key, what every page knows
        self._scores: dict[str, list[Any]] = {}

    def begin(self) -> None:
        """The event loop runs."""
        self._loop = asyncio.get_running_loop()

    @property
    def is_watched(self) -> bool:
        """Whether any page is open."""
        return bool(self._mailboxes)

    def open(self, key: str | None) -> Mailbox:
        """A page was opened, on a source or on none.

        Raises
        ------
        CrowdedError
            There are too many.
        """
        if len(self._mailboxes) >= MOST_PAGES:
            raise CrowdedError
        mailbox = Mailbox(key)
        self._mailboxes.add(mailbox)
        if key is not None:
            self._watched[key] += 1
            if self._watched[key] == 1:
                self._on_watched(key, True)
        return mailbox

    def close(self, mailbox: Mailbox) -> None:
        """A page was closed."""
        if mailbox not in self._mailboxes:
            return
        self._mailboxes.remove(mailbox)
        if mailbox.key is not None:
            self._watched[mailbox.key] -= 1
            if self._watched[mailbox.key] <= 0:
                del self._watched[mailbox.key]
                self._on_watched(mailbox.key, False)

    def close_all(self) -> None:
        """The server ends: let every page know, which then comes back by itself."""
        for mailbox in self._mailboxes:
            mailbox.is_full = True
            mailbox.put(b"")

    def tell(self, kind: str, key: str, data: dict[str, Any]) -> None:
        """Tell the pages that want to know; from any thread."""
        if self._loop is None or not self._mailboxes:
            return
        message = encoded(kind, {"key": key, **data})
        with suppress(RuntimeError):  # the loop was closed just now
            self._loop.call_soon_threadsafe(self._put, kind, key, message)

    async def run(self) -> None:
        """Tell what has changed, twice a second, for ever."""
        while True:
            await asyncio.sleep(TICK_S)
            if self._mailboxes:
                self._tick()

    def _put(self, kind: str, key: str, message: bytes) -> None:
        for mailbox in self._mailboxes:
            if kind not in DETAILS or mailbox.key == key:
                mailbox.put(message)

    def _tick(self) -> None:
        now = {found["key"]: found for found in self._fleet.snapshots()}
        changed = [found for key, found in now.items() if self._told.get(key) != found]
        gone = [key for key in self._told if key not in now]
        scores = self._fleet.scores()
        fresh = {key: score for key, score in scores.items() if self._scores.get(key) != score}
        self._told, self._scores = now, scores
        for kind, data in (("sources", {"changed": changed, "gone": gone}), ("scores", {"scores": fresh})):
            if any(data.values()):
                self._put(kind, "", encoded(kind, data))


def encoded(kind: str, data: dict[str, Any]) -> bytes:
    """A server-sent event (WHATWG HTML, section 9.2): JSON has no line breaks of its own."""
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
