from __future__ import annotations

import pytest

from calibrate.threshold_note import threshold_note


@pytest.mark.parametrize(
    ("seconds", "false_alarms_per_week", "said"),
    [
        (32.0, 1.0, "32 s of recordings vouch for 56,700 false alarms per week at best (one in 10.7 s, with 95 % confidence); 1 per week"),
        (32.0, 1.0, "is extrapolated 56,700 times beyond that and may give ten times more or fewer; 21 days of recordings"),
        (
            28800.0,
            7.0,
            "63 false alarms per week at best (one in 2.67 h, with 95 % confidence); 7 per week is extrapolated 9 times beyond that;",
        ),
        (7200.0, 1e-4, "0.0001 per week is extrapolated 2,520,000 times"),
        (7200.0, 1.0, "21 days of recordings, over all loads of the machine, would vouch for it"),
        (7200.0, 50.0, "10.1 h of recordings, over all loads"),
    ],
)
def test_threshold_note_of_short_recordings_says_what_they_vouch_for_and_what_it_takes(
    seconds: float, false_alarms_per_week: float, said: str
) -> None:
    assert said in threshold_note(seconds, false_alarms_per_week)


@pytest.mark.parametrize(("seconds", "false_alarms_per_week"), [(21 * 86400.0, 1.0), (3600.0, 504.0)])
def test_threshold_note_of_long_recordings_is_empty(seconds: float, false_alarms_per_week: float) -> None:
    assert threshold_note(seconds, false_alarms_per_week) == ""
