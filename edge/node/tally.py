"""What a source has said since the daemon began, counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.judgement.event import EventType
from edge.mqtt.payloads import ScorePayload


@dataclass(slots=True)
class Tally:
    """Adds up the windows and the event messages of one source, and keeps the last score."""

    windows: int = 0
    anomalous_windows: int = 0
    score: ScorePayload | None = None  # the last one; None before the first
    events: dict[EventType, int] = field(default_factory=lambda: {"opened": 0, "updated": 0, "closed": 0})
    is_open: bool = False  # whether an event is open

    def window(self, score: ScorePayload) -> None:
        """A score was published."""
        self.windows += 1
        self.anomalous_windows += score.anomalous
        self.score = score

    def event(self, kind: EventType) -> None:
        """A message about an event was published, or is in the outbox."""
        self.events[kind] += 1

    def copy(self) -> Tally:
        """The numbers of now, for another thread."""
        return Tally(self.windows, self.anomalous_windows, self.score, dict(self.events), self.is_open)
