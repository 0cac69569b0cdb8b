from __future__ import annotations

import pytest

from edge.audio.level_meter import Level
from edge.mqtt.payloads import Status
from edge.node import availability as reasons
from edge.node.availability import DEAD_AFTER, STALLED_AFTER_S, Availability

SOUND = Level(-30.0, -20.0, 0.0, dead=False)
DEAD = Level(None, None, 0.0, dead=True, constant=0.0)
STUCK = Level(None, None, 0.0, dead=True, constant=0.25)
RAILED = Level(-0.1, 0.0, 0.95, dead=False)


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


@pytest.mark.parametrize(("level", "reason"), [(DEAD, reasons.SILENT), (STUCK, reasons.STUCK), (RAILED, reasons.CLIPPED)])
def test_availability_implausible_signal_is_offline_with_its_reason(level: Level, reason: str) -> None:
    availability = Availability()
    assert told(availability) == ("offline", reasons.NO_SOUND_YET)
    availability.heard(SOUND)
    assert told(availability) == ("online", None)
    for _ in range(DEAD_AFTER):
        availability.heard(level)
    assert told(availability) == ("offline", reason)
    availability.heard(SOUND)
    assert told(availability) == ("online", None)


def told(availability: Availability) -> tuple[Status, str | None]:
    return availability.status, availability.reason


def test_availability_levels_are_of_the_last_minute() -> None:
    availability = Availability()
    assert (availability.dbfs, availability.clipped_fraction, availability.is_clipping) == (None, None, False)
    availability.heard(Level(-10.0, 0.0, 0.2, dead=False))
    assert (availability.dbfs, availability.clipped_fraction, availability.is_clipping) == (-10.0, 0.2, True)
    for _ in range(60):
        availability.heard(SOUND)
    assert (availability.dbfs, availability.clipped_fraction, availability.is_clipping) == (-30.0, 0.0, False)
    availability.stalled(STALLED_AFTER_S)
    assert (availability.reason, availability.dbfs) == (reasons.STALLED, None)
