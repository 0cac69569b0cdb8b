"""How learning from one source fares."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LearningReport:
    """For `health`."""

    is_learning: bool = False
    reason: str | None = "no sound yet"  # why it is not
    learned_s: float = 0.0
    stored_bytes: int = 0
    written_bytes: int = 0  # since the daemon started, or the store was made
    is_trouble: bool = False  # the reason is to be mended
