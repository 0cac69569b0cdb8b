"""Recent commands and their answers: a command that arrives twice must not be carried out twice."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from edge.remote.requests import CommandError

REMEMBERED = 256  # more than the inbox takes of `freshness` in all
REMEMBERED_S = 600.0  # QoS 1 delivers again within seconds, a client that lost its connection within minutes

Key = tuple[str, str | int]  # verb and transaction


@dataclass(slots=True)
class _Known:
    digest: bytes  # of the payload
    at_s: float
    answer: bytes | None = None  # None while it is being carried out


class Transactions:
    """The memory of commands that bear a transaction; others are carried out each time. Some answers come from other threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, _Known] = OrderedDict()

    def begin(self, verb: str, transaction: str | int | None, payload: bytes) -> bytes | None:
        """Return the answer that was given already, empty while it is still to come; None when the command is new.

        Raises
        ------
        CommandError
            when the transaction stands for another command.
        """
        if transaction is None:
            return None
        digest = hashlib.sha256(payload).digest()
        with self._lock:
            self._forget()
            known = self._known.get((verb, transaction))
            if known is None:
                self._known[verb, transaction] = _Known(digest, self._clock())
                return None
            if known.digest != digest:
                raise CommandError(f"the transaction {transaction!r} was used for another {verb} lately; give each command its own")
            return known.answer or b""

    def end(self, verb: str, transaction: str | int | None, answer: bytes) -> None:
        """Remember the answer to a command that `begin` took for new."""
        with self._lock:
            if transaction is not None and (verb, transaction) in self._known:
                self._known[verb, transaction].answer = answer

    def _forget(self) -> None:
        now_s = self._clock()
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) < REMEMBERED and now_s - self._known[oldest].at_s < REMEMBERED_S:
                return
            del self._known[oldest]
