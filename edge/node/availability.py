"""Whether the sound of a source is plausible right now, and if not, why."""

from __future__ import annotations

from collections import deque
from statistics import median

from edge.audio.level_meter import Level
from edge.mqtt.encoding import rounded
from edge.mqtt.payloads import Status

DEAD_AFTER = 3  # implausible seconds in a row
STALLED_AFTER_S = 3.0
RAILED = 0.9  # of the samples at full scale: no sound of a machine, even at ten times the right gain
CLIPPING = 0.001  # of the samples; fewer are single knocks
REMEMBERED_S = 60

NO_SOUND_YET = "no sound yet"
SILENT = "digital silence: muted, unplugged or the wrong channel"
STUCK = "every sample has the same value: a broken input or driver"
NO_NUMBERS = "no sample is a number: a broken input or driver"
STALLED = "the device gives no sound"
CLIPPED = "most samples are at full scale: gain far too high, or a broken input"


class Availability:
    """`online` only while frames flow and the signal is plausible: not a muted, unplugged, stuck or railed microphone."""

    def __init__(self) -> None:
        self.status: Status = "offline"
        self.reason: str | None = NO_SOUND_YET
        self.implausible_s = 0  # seconds in a row
        self._levels: deque[Level] = deque(maxlen=REMEMBERED_S)

    def heard(self, level: Level) -> None:
        """Another second of sound came."""
        self._levels.append(level)
        problem = _problem(level)
        if problem is None:
            self.implausible_s = 0
            self.status, self.reason = "online", None
            return
        self.implausible_s += 1
        # A single second of digital silence is a file's padding or a driver's start; but it does not make a source available either.
        if self.implausible_s >= DEAD_AFTER:
            self.status, self.reason = "offline", problem

    def stalled(self, stalled_s: float) -> None:
        """The source has given nothing for this long."""
        if stalled_s >= STALLED_AFTER_S:
            self.ended(STALLED)

    def ended(self, reason: str) -> None:
        """The source is closed or at its end."""
        self.status, self.reason = "offline", reason
        self.implausible_s = 0
        self._levels.clear()

    @property
    def dbfs(self) -> float | None:
        """The median loudness of the last minute: a gain that somebody changed shows here."""
        levels = [level.dbfs for level in self._levels if level.dbfs is not None]
        return rounded(median(levels), 1) if levels else None

    @property
    def clipped_fraction(self) -> float | None:
        """The fraction of samples at full scale in the last minute; None without sound."""
        return round(sum(level.clipped_fraction for level in self._levels) / len(self._levels), 6) if self._levels else None

    @property
    def is_clipping(self) -> bool:
        """Whether the gain should be lowered."""
        return (self.clipped_fraction or 0.0) > CLIPPING


def _problem(level: Level) -> str | None:
    if level.dead:
        return NO_NUMBERS if level.constant is None else SILENT if level.constant == 0.0 else STUCK
    return CLIPPED if level.clipped_fraction > RAILED else None
