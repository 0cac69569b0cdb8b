"""Hostile commands: whoever may publish to a node's `cmd` topics may send anything."""

from __future__ import annotations

import json
from collections.abc import Callable

from edge.config.schema import VERBS
from tests.fuzz.mutations import VALUES, Rng, mutated, mutated_json, pick

EVENT = "01HF0000000000000000000000"
GOOD = {
    "snooze": {"transaction": "a", "source": "pump1", "minutes": 60, "note": "oil"},
    "mark": {"transaction": 7, "event": EVENT, "verdict": "real", "note": ""},
    "reload": {"transaction": None},
    "recalibrate-threshold": {"source": "pump1", "false_alarms_per_week": 1.5, "reset": False},
    "snapshot": {"transaction": "b", "source": "pump1", "seconds": 10},
    "watch": {"transaction": "d", "source": "pump1", "seconds": 60},
    "rollback": {"transaction": "e", "source": "pump1"},
    "accept": {"transaction": "h", "source": "pump1"},
    "info": {"transaction": "c"},
}
ODD_VERBS = ("", "Info", "reboot", "a" * 32, "a" * 33, "../info", "info/x", "+", "#", "\u202e", "in\x1b[2Jfo", "in fo")


def command_case(rng: Rng) -> tuple[str, bytes]:
    """What was done; and the verb, a line end and the payload."""
    verb = pick(rng, VERBS)
    kind: Callable[[Rng, bytes], bytes] = pick(rng, KINDS)
    payload = kind(rng, json.dumps(GOOD[verb]).encode())
    if rng.random() < 0.1:
        verb = pick(rng, ODD_VERBS)
    return kind.__name__, verb.encode() + b"\n" + payload


def good(rng: Rng, payload: bytes) -> bytes:
    """As it should be."""
    return payload


def damaged(rng: Rng, payload: bytes) -> bytes:
    """Random bytes are wrong."""
    return mutated(rng, payload)


def value(rng: Rng, payload: bytes) -> bytes:
    """A value of another kind, or a key that is missing or unknown."""
    return mutated_json(rng, payload)


def large(rng: Rng, payload: bytes) -> bytes:
    """Around and far beyond what is taken."""
    length = int(pick(rng, (4095, 4096, 4097, 60_000, 10_000_000)))
    return pick(rng, (payload.ljust(length), b"[" * length, b"\xff" * length, b'{"note": "' + b"x" * length + b'"}'))  # type: ignore[no-any-return]


def alone(rng: Rng, payload: bytes) -> bytes:
    """One value, or two, or nothing."""
    text: str = pick(rng, VALUES)
    return pick(rng, (text.encode(), payload + payload, b"", b"\0", rng.bytes(50)))  # type: ignore[no-any-return]


KINDS = (good, damaged, value, value, value, large, alone)
