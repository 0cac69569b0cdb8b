"""The bundle that a source without one begins with: made of its first minutes, it tells nobody anything.

It is a bundle like any other, and what follows is judged by it before it is learned. So when the first bundle is made of the store, its
threshold rests on sound that the bundle which judged it had not heard. But a few minutes know a machine too little to alarm.

    <state>/learning/<source>/starter.auscult
"""

from __future__ import annotations

from pathlib import Path

from edge.learning.starting_sound import START_S

FILE = "starter.auscult"
MAKING_S = 120.0  # of sound that passes, on a slow board, while two bundles are made


def starter_path(store: Path) -> Path:
    """Where the starter of a source lies, beside its store."""
    return store / FILE


def first_due_s(first_minutes: float) -> float:
    """At how many seconds of learned sound the first bundle is made, so that it is in force after so many minutes in all."""
    return 60.0 * first_minutes - START_S - MAKING_S
