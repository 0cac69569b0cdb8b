"""All that a node knows of itself at one moment, for other threads than the daemon's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.mqtt.payloads import HealthPayload, InfoPayload
from edge.node.tally import Tally

KEPT_S = 1.0  # who asks more often than this gets the same report again


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What `info` and `health` say, and what each source has said."""

    info: InfoPayload
    health: HealthPayload
    tallies: Mapping[str, Tally]  # by source
    inference_windows: int  # since the start of the daemon
    inference_s: float  # that these have taken together


class ReportDesk:
    """Other threads ask, the daemon's thread answers between two turns: nothing of a node is read while it changes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_wanted = False
        self._report: NodeReport | None = None
        self._made_at_s = 0.0
        self._is_closed = False

    def ask(self, wait_s: float) -> NodeReport:
        """Return a report that is not older than `KEPT_S`, from any thread.

        Raises
        ------
        TimeoutError
            when the daemon has not answered for `wait_s`: it starts, ends, or does not get on.
        """
        with self._changed:
            asked_at_s = time.monotonic()
            if self._is_closed:
                raise TimeoutError("the daemon has ended")
            if self._report is not None and asked_at_s - self._made_at_s < KEPT_S:
                return self._report
            self._is_wanted = True
            self._changed.wait_for(lambda: self._is_closed or self._made_at_s >= asked_at_s, wait_s)
            if self._report is None or self._made_at_s < asked_at_s:
                raise TimeoutError(f"the daemon has not answered for {wait_s:.0f} s")
            return self._report

    def poll(self, make: Callable[[], NodeReport]) -> None:
        """Answer whoever has asked; in the daemon's thread, in every round."""
        if not self._is_wanted:
            return
        report = make()
        with self._changed:
            self._is_wanted = False
            self._report, self._made_at_s = report, time.monotonic()
            self._changed.notify_all()

    def close(self) -> None:
        """There will be no more answers."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
