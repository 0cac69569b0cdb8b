"""Commands that people give on the page: published like anybody's, and their answers awaited."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from edge.dashboard.messages import Answer
from edge.mqtt.timestamp import timestamp
from edge.mqtt.topics import Topics
from edge.remote.requests import CommandError, parse_request

ANSWER_S: Final = 15.0
MOST_ASKED: Final = 100
ALLOWED: Final = ("mark", "snooze", "recalibrate-threshold", "watch")


class NoAnswerError(Exception):
    """A command that got no answer; the text says why that may be."""


class Commander:
    """`answered` is called from any thread, everything else in the event loop."""

    def __init__(self, base_topic: str, publish: Callable[[str, bytes], bool]) -> None:
        """`publish(topic, payload)` says whether there is a connection."""
        self._base_topic = base_topic
        self._publish = publish
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: dict[tuple[str, str, str], asyncio.Future[dict[str, Any]]] = {}  # by node, verb and transaction

    def begin(self) -> None:
        """The event loop runs."""
        self._loop = asyncio.get_running_loop()

    async def ask(self, node: str, verb: str, fields: dict[str, Any], answer_s: float = ANSWER_S) -> dict[str, Any]:
        """Give a command and return its answer, whatever it says.

        Raises
        ------
        CommandError
            It is no command that the page gives, or not complete.
        NoAnswerError
            There is no connection, or no answer.
        """
        if verb not in ALLOWED:
            raise CommandError(f"the page gives no such command; it gives {', '.join(ALLOWED)}")
        transaction = secrets.token_urlsafe(12)
        payload = msgspec.json.encode({**fields, "transaction": transaction, "sent_at": timestamp(time.time())})
        parse_request(verb, payload)  # type: ignore[arg-type]  # one of ALLOWED
        if len(self._asked) >= MOST_ASKED:
            raise NoAnswerError("too many commands wait for their answers; try again in a minute")
        key = (node, verb, transaction)
        self._asked[key] = asyncio.get_running_loop().create_future()
        try:
            if not self._publish(Topics(node, self._base_topic).command(verb), payload):
                raise NoAnswerError("there is no connection to the broker; try again when it is back")
            return await asyncio.wait_for(self._asked[key], answer_s)
        except asyncio.TimeoutError:
            raise NoAnswerError(
                f"{node} did not answer within {answer_s:.0f} s; is it online, is `commands.enabled` true in its config.yaml, "
                "and may this dashboard publish there?"
            ) from None
        finally:
            del self._asked[key]

    def answered(self, node: str, verb: str, answer: Answer, whole: dict[str, Any]) -> None:
        """A node has answered somebody."""
        if self._loop is not None and isinstance(answer.transaction, str):
            with suppress(RuntimeError):  # the loop was closed just now
                self._loop.call_soon_threadsafe(self._give, (node, verb, answer.transaction), whole)

    def _give(self, key: tuple[str, str, str], whole: dict[str, Any]) -> None:
        waiting = self._asked.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(whole)
