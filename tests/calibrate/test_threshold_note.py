from __future__ import annotations

import pytest

from calibrate.threshold_note import FARTHEST_BEYOND, LEAST_S, settable_false_alarms_per_week, threshold_note
from edge.judgement.tail_fit import supported_false_alarms_per_week


@pytest.mark.parametrize(
    ("seconds", "false_alarms_per_week", "part"),
    [
        (32.0, 1.0, "threshold: set for 1 false alarms per week. 32 s of recordings support 56,700 per week at best (one in 10.7 s, with"),
        (90.0, 1.0, "set for 20 false alarms per week instead of 1, because these recordings allow no rarer ones. 1.5 min of recordings"),
        (90.0, 1.0, "1,010 times beyond that, so there may be ten times more or fewer. To support 1 per week,"),
        (32.0, 100.0, "(one in 10.7 s, with 95 % confidence); the rest is extrapolated, 567 times beyond that, so there may be"),
        (
            28800.0,
            7.0,
            "63 per week at best (one in 2.67 h, with 95 % confidence); the rest is extrapolated, 9 times beyond that. To support",
        ),
        (7200.0, 1e-4, "set for 0.25 false alarms per week instead of 0.0001, because"),
        (7200.0, 1.0, "To support 1 per week, record 21 days, over all loads of the machine"),
        (7200.0, 50.0, "record 10.1 h, over all loads"),
    ],
)
def test_threshold_note_of_short_recordings_says_what_they_support_and_what_it_takes(
    seconds: float, false_alarms_per_week: float, part: str
) -> None:
    assert part in threshold_note(seconds, false_alarms_per_week)


@pytest.mark.parametrize(("seconds", "false_alarms_per_week"), [(21 * 86400.0, 1.0), (3600.0, 504.0)])
def test_threshold_note_of_long_recordings_is_empty(seconds: float, false_alarms_per_week: float) -> None:
    assert threshold_note(seconds, false_alarms_per_week) == ""


@pytest.mark.parametrize(
    ("seconds", "asked", "set_for"),
    [(90.0, 1.0, 20.0), (90.0, 19.0, 20.0), (90.0, 21.0, 21.0), (3600.0, 1.0, 1.0), (3600.0, 0.1, 0.5), (21 * 86400.0, 1.0, 1.0)],
)
def test_settable_false_alarms_are_those_asked_for_or_the_rarest_within_reach(seconds: float, asked: float, set_for: float) -> None:
    found = settable_false_alarms_per_week(seconds, asked)
    assert found == pytest.approx(set_for)
    assert found >= asked
    assert supported_false_alarms_per_week(seconds) / found <= FARTHEST_BEYOND * (1.0 + 1e-9)
    assert ("instead of" in threshold_note(seconds, asked)) == (found > asked)


@pytest.mark.parametrize("seconds", [LEAST_S - 1.0, 1800.0, 3600.0, 86400.0])
def test_settable_false_alarms_of_half_an_hour_or_less_than_a_minute_are_those_asked_for(seconds: float) -> None:
    assert settable_false_alarms_per_week(seconds, 1.0) == 1.0
    assert "set for 1 false alarms per week. " in threshold_note(seconds, 1.0)
