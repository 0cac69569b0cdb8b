"""The input and output of the listener, as lines of JSON on a pipe.

Windows are published at QoS 0, so a subscriber hears none of those that fall into a broker's absence; the log does not tell of windows.
"""

from __future__ import annotations

import json
import os
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from edge import clock
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.node.listening import Listening
from edge.node.losses import Losses
from edge.node.source_publisher import SourcePublisher
from edge.pipeline import Listener
from tests.faults.controls import Controls
from tests.faults.scene import source_name


def tap(descriptor: int) -> None:
    """Have the parts of this process's daemon write down what passes through them."""

    def tell(kind: str, **what: object) -> None:
        os.write(descriptor, (json.dumps({"kind": kind, "at_s": clock.now_s(), **what}) + "\n").encode())

    hear, window, event, lose = SourcePublisher.hear, SourcePublisher.window, SourcePublisher.event, Listening.lose
    counters = {name: getattr(Losses, name) for name in ("lost", "away", "shed")}

    def told_hear(self: SourcePublisher, *what: Any) -> None:
        tell("stream", source=self._name)
        hear(self, *what)

    def told_window(self: SourcePublisher, said: Window) -> None:
        window(self, said)
        tell(
            "window",
            source=self._name,
            from_s=said.t_start_s,
            to_s=said.t_end_s,
            score=said.score,
            lost_s=said.lost_s,
            unheard=_runs(np.isnan(said.localization.time_scores)),
            cell_s=said.localization.cell_s,
            heard_at_s=clock.now_s() - self.lag_s,
        )

    def told_event(self: SourcePublisher, said: Event) -> None:
        tell("event", source=self._name, id=said.id, type=said.type, from_s=said.t_start_s, to_s=said.t_end_s)
        event(self, said)

    def told_lose(self: Listening, samples: int) -> None:
        assert isinstance(self._listener, Listener)
        heard_s = self._listener.heard_s
        tell("lost", source=self._publisher._name, from_s=heard_s, to_s=heard_s + samples / self._listener.rate_hz)
        lose(self, samples)

    def counted(name: str) -> Any:
        def count(self: Losses, seconds: float) -> None:
            counters[name](self, seconds)
            tell("losses", source=self._name, lost_s=self.lost_s)

        return count

    patch.object(SourcePublisher, "hear", told_hear).start()
    patch.object(SourcePublisher, "window", told_window).start()
    patch.object(SourcePublisher, "event", told_event).start()
    patch.object(Listening, "lose", told_lose).start()
    for name in counters:
        patch.object(Losses, name, counted(name)).start()


def starve(controls: Controls) -> None:
    """Have the source that `controls` names fail once for want of memory."""
    push = Listening.push

    def pushed(self: Listening, samples: NDArray[np.float32]) -> None:
        if self._publisher._name == source_name(round(controls.get("short_source")) - 1):
            controls.set("short_source", 0.0)
            raise MemoryError("Unable to allocate 1.00 MiB")
        push(self, samples)

    patch.object(Listening, "push", pushed).start()


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where a row of flags is set, as [first, behind the last)."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
