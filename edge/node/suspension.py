"""Suspension of the computer, during which a microphone records nothing."""

from __future__ import annotations

import logging

from edge import clock

LOG = logging.getLogger("auscult.source")
SLEPT_S = 0.5  # a suspension that is shorter is none


class Suspension:
    """Reports each suspension once."""

    def __init__(self, name: str) -> None:
        """`name` is the source's."""
        self._name = name
        self._suspended_s = clock.suspended_s()

    def seconds(self) -> float:
        """For how long the machine has been suspended since this was last asked; 0 when it was not."""
        slept_s = clock.suspended_s() - self._suspended_s
        if slept_s < SLEPT_S:
            return 0.0
        self._suspended_s += slept_s
        LOG.info("%s: the machine was suspended for %.1f s", self._name, slept_s)
        return slept_s
