"""Whether a command is recent: over MQTT 3.1.1 a client cannot see whether every message is retained."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge import clock
from edge.remote.requests import CommandError, Request

OLDEST_S = 60.0
AHEAD_S = 5.0  # by how much the sender's clock may be ahead of ours

_REMEDY = "or set mqtt.protocol: '5' on the node"


class Freshness:
    """A command that is fresh comes from a run of the daemon that remembers its `Transactions`: so it is carried out once at most.

    Ages are by the wall clock. None is taken from before this run, which would not know whether the run before has carried it out.
    """

    def __init__(self, wall: Callable[[], float] = time.time, now: Callable[[], float] = clock.now_s) -> None:
        self._wall = wall
        self._now = now
        self._began_s = now()

    def check(self, request: Request) -> None:
        """Raise CommandError unless the command has a transaction and was sent recently."""
        if request.transaction is None or request.sent_at is None:
            raise CommandError(
                "over MQTT 3.1.1 it may be retained, and would be carried out again and again; "
                f'add "transaction", new for each command, and "sent_at", the time in UTC such as "2026-11-20T10:00:00Z", {_REMEDY}'
            )
        age_s = self._wall() - request.sent_at.timestamp()
        if not -AHEAD_S <= age_s <= OLDEST_S:
            when = f"{age_s:.0f} s ago" if age_s > 0.0 else f"in {-age_s:.0f} s"
            raise CommandError(
                f"sent_at: {when} by this node's clock, and over MQTT 3.1.1 at most {OLDEST_S:.0f} s ago is accepted; "
                f"set the clocks and send it again, {_REMEDY}"
            )
        if age_s >= self._now() - self._began_s - AHEAD_S:
            raise CommandError("sent_at: before the daemon was started, and the one before may have carried it out; send it again")
