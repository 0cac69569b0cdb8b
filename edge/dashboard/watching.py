"""Nodes publish cells only while somebody watches: this asks for them, again and again, while a page shows the source."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

from edge.dashboard.commander import Commander, NoAnswerError
from edge.remote.requests import CommandError

WATCH_S: Final = 60
RENEW_S: Final = WATCH_S / 2
ANSWER_S: Final = 5.0
AGAIN_S: Final = 10.0  # after a node that did not do it


class Watching:
    """Used in the event loop."""

    def __init__(self, commander: Commander, tell: Callable[[str, str, dict[str, Any]], None]) -> None:
        """`tell(kind, key, data)` reaches the pages."""
        self._commander = commander
        self._tell = tell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: set[asyncio.Task[bool]] = set()

    def change(self, key: str, is_watched: bool) -> None:
        """The first page shows a source, or the last one does no longer."""
        if is_watched:
            self._tasks[key] = asyncio.get_running_loop().create_task(self._renew(key))
            return
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
        end = asyncio.get_running_loop().create_task(self._ask(key, 0))
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)

    async def finish(self) -> None:
        """The server ends: so does all watching."""
        for key in list(self._tasks):
            self.change(key, False)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*self._ends), 1.0)

    async def _renew(self, key: str) -> None:
        while True:
            is_watched = await self._ask(key, WATCH_S)
            await asyncio.sleep(RENEW_S if is_watched else AGAIN_S)

    async def _ask(self, key: str, seconds: int) -> bool:
        node, _, source = key.partition("/")
        problem: str | None
        try:
            answer = await self._commander.ask(node, "watch", {"source": source, "seconds": seconds}, ANSWER_S)
            problem = answer.get("error")
        except (NoAnswerError, CommandError) as error:
            problem = str(error)
        if seconds:
            self._tell("watch", key, {"problem": problem})
        return problem is None
