"""What goes wrong, and when: drawn from a seed, so that a run that fails can be run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal[
    "broker killed",
    "daemon killed",
    "network cut",
    "sink removed",
    "disk full",
    "disk read-only",
    "disk slow",
    "memory short",
    "clock set",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
CALM_S = 8.0  # at the beginning, and at the end, for the repairs
_LASTS_S: dict[Kind, tuple[float, float]] = {
    "broker killed": (0.3, 4.0),  # until it is started again
    "daemon killed": (0.2, 1.5),  # until systemd would start it again
    "network cut": (2.0, 16.0),  # the longer ones outlast the keepalive
    "sink removed": (2.0, 14.0),  # the longer ones outlast the patience of the daemon with a device that stalls
    "disk full": (8.0, 16.0),
    "disk read-only": (60.0, 300.0),  # the longer ones outlast several tries
    "disk slow": (10.0, 60.0),
    "memory short": (1.0, 4.0),
    "clock set": (0.0, 0.0),
}
_DELAY_S = (0.3, 8.0)  # of each sync while the disk is slow


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something goes wrong at a second of the recording, and is repaired later."""

    at_s: float
    kind: Kind
    lasts_s: float
    shift_s: float = 0.0  # of the wall clock
    delay_s: float = 0.0  # of each sync
    forgetful: bool = False  # the network comes back without its connections
    pounces: bool = False  # the daemon is killed in the instant in which it says that it has opened an event
    source: int = 0  # whose microphone, or memory


def draw(seed: int, seconds: float, counts: Mapping[Kind, int], sources: int = 1) -> tuple[Trouble, ...]:
    """Troubles for a recording of so many seconds. Those of one kind each have a slot of their own; kinds overlap as they like."""
    rng = np.random.default_rng([seed, 0x7B])
    troubles = []
    for kind in KINDS:
        count = counts.get(kind, 0)
        slot_s = (seconds - 2 * CALM_S) / max(count, 1)
        for number in range(count):
            lasts_s = float(rng.uniform(*_LASTS_S[kind]))
            at_s = CALM_S + number * slot_s + float(rng.uniform(0.0, max(0.0, slot_s - lasts_s - CALM_S)))
            shift_s = float(rng.choice([-1.0, 1.0]) * _log_uniform(rng, 2.0, 2e5)) if kind == "clock set" else 0.0
            delay_s = _log_uniform(rng, *_DELAY_S) if kind == "disk slow" else 0.0
            forgetful, source = bool(rng.integers(2)), int(rng.integers(sources))
            troubles.append(Trouble(at_s, kind, lasts_s, shift_s, delay_s, forgetful, number % 2 == 1, source))
    return tuple(sorted(troubles, key=lambda trouble: trouble.at_s))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
