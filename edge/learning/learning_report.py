"""How learning from one source fares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# over: as much was learned as was wanted; failing: the reason is to be mended.
LearningState = Literal["waiting", "learning", "frozen", "over", "failing"]

# What a source is told by: listening, when nothing is judged yet; watching, by a bundle that gets better; settled, by the last one.
SourceState = Literal["listening", "watching", "settled"]


@dataclass(frozen=True, slots=True)
class LearningReport:
    """For `health` and the topic `learning`."""

    state: LearningState = "waiting"
    reason: str | None = "no sound yet"  # why nothing is learned now
    learned_s: float = 0.0
    stored_bytes: int = 0
    written_bytes: int = 0  # since the daemon started, or the store was made

    @property
    def is_learning(self) -> bool:
        """Whether normal sound is kept."""
        return self.state == "learning"

    @property
    def is_trouble(self) -> bool:
        """Whether the reason is to be mended."""
        return self.state == "failing"
