"""Whether a source can be believed right now."""

from __future__ import annotations

from edge.audio.level_meter import Level
from edge.mqtt.payloads import Status

DEAD_AFTER = 3  # dead seconds in a row
STALLED_AFTER_S = 3.0


class Availability:
    """`online` only while frames flow and the signal is plausible: not a muted, unplugged or stuck microphone."""

    def __init__(self) -> None:
        self.status: Status = "offline"
        self._dead = 0

    def heard(self, level: Level) -> None:
        """Another second of sound came."""
        if not level.dead:
            self._dead = 0
            self.status = "online"
            return
        self._dead += 1
        # A single second of digital silence is a file's padding or a driver's start; but it does not make a source available either.
        if self._dead >= DEAD_AFTER:
            self.status = "offline"

    def stalled(self, stalled_s: float) -> None:
        """The source has given nothing for this long."""
        if stalled_s >= STALLED_AFTER_S:
            self.ended()

    def ended(self) -> None:
        """The source is closed or at its end."""
        self.status = "offline"
        self._dead = 0
