"""What goes wrong, and when: drawn from a seed, so that a run that fails can be run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal["broker killed", "daemon killed", "network cut", "sink removed", "disk full", "clock set"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CALM_S = 8.0  # at the beginning, and at the end, for the repairs
_LASTS_S: dict[Kind, tuple[float, float]] = {
    "broker killed": (0.3, 4.0),  # until it is started again
    "daemon killed": (0.2, 1.5),  # until systemd would start it again
    "network cut": (2.0, 16.0),  # the longer ones outlast the keepalive
    "sink removed": (2.0, 14.0),  # the longer ones outlast the patience of the daemon with a device that stalls
    "disk full": (8.0, 16.0),
    "clock set": (0.0, 0.0),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something goes wrong at a second of the recording, and is repaired later."""

    at_s: float
    kind: Kind
    lasts_s: float
    shift_s: float = 0.0  # of the wall clock
    forgetful: bool = False  # the network comes back without its connections
    pounces: bool = False  # the daemon is killed in the instant in which it says that it has opened an event


def draw(seed: int, seconds: float, counts: dict[Kind, int]) -> tuple[Trouble, ...]:
    """Troubles for a recording of so many seconds. Those of one kind each have a slot of their own; kinds overlap as they like."""
    rng = np.random.default_rng([seed, 0x7B])
    troubles = []
    for kind in KINDS:
        count = counts.get(kind, 0)
        slot_s = (seconds - 2 * CALM_S) / max(count, 1)
        for number in range(count):
            lasts_s = float(rng.uniform(*_LASTS_S[kind]))
            at_s = CALM_S + number * slot_s + float(rng.uniform(0.0, max(0.0, slot_s - lasts_s - CALM_S)))
            shift_s = float(rng.choice([-1.0, 1.0]) * np.exp(rng.uniform(np.log(2.0), np.log(2e5)))) if kind == "clock set" else 0.0
            troubles.append(Trouble(at_s, kind, lasts_s, shift_s, bool(rng.integers(2)), number % 2 == 1))
    return tuple(sorted(troubles, key=lambda trouble: trouble.at_s))
