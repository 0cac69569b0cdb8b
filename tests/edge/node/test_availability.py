from __future__ import annotations

from edge.audio.level_meter import Level
from edge.mqtt.payloads import Status
from edge.node.availability import DEAD_AFTER, STALLED_AFTER_S, Availability

SOUND = Level(-30.0, -20.0, 0.0, dead=False)
DEAD = Level(None, None, 0.0, dead=True)


def after(levels: list[Level], stalled_s: float = 0.0) -> Status:
    availability = Availability()
    for level in levels:
        availability.heard(level)
    availability.stalled(stalled_s)
    return availability.status


def test_availability_starts_offline_and_needs_a_second_of_sound() -> None:
    assert after([]) == "offline"
    assert after([DEAD]) == "offline"
    assert after([SOUND]) == "online"


def test_availability_dead_for_some_seconds_is_offline() -> None:
    assert after([SOUND] + [DEAD] * (DEAD_AFTER - 1)) == "online"
    assert after([SOUND] + [DEAD] * DEAD_AFTER) == "offline"
    assert after([SOUND] + [DEAD] * DEAD_AFTER + [SOUND]) == "online"


def test_availability_stalled_is_offline() -> None:
    assert after([SOUND], STALLED_AFTER_S / 2) == "online"
    assert after([SOUND], STALLED_AFTER_S) == "offline"
