"""How long the stages of a calibration take beside each other, so that its progress can say how much time is left."""

from __future__ import annotations

from collections.abc import Mapping

# Seconds that an hour of sound takes with two cores; only their proportions count. Other detectors train: how long is for them to say.
_STAGES: Mapping[str, Mapping[str, float]] = {
    "patchcore": {
        "checking recordings": 3.0,
        "listening": 20.0,
        "sampling patches": 1.0,
        "choosing patches": 2.0,
        "calibrating": 5.0,
        "comparing windows": 3.0,
        "judging held-out sound": 8.0,
    },
}


def stages_of(detector: str) -> Mapping[str, float]:
    """The weight of each stage by its label; none for a detector whose stages are not known."""
    return _STAGES.get(detector, {})
