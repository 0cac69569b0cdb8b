from __future__ import annotations

import pytest

from edge.dashboard.complaints import AGAIN_S, PER_MINUTE, Complaints


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_same_thing_is_said_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    complaints = Complaints(clock)
    for _ in range(100):
        complaints.say("auscult/a/status", "garbage")
    assert len(caplog.records) == 1
    clock.now_s = AGAIN_S + 1.0
    complaints.say("auscult/a/status", "garbage")
    assert len(caplog.records) == 2


def test_many_things_are_counted_instead_of_said(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    complaints = Complaints(clock)
    for index in range(PER_MINUTE + 7):
        complaints.say(f"auscult/{index}/status", "garbage")
    assert len(caplog.records) == PER_MINUTE
    clock.now_s = 61.0
    complaints.say("auscult/more/status", "garbage")
    assert [record.message for record in caplog.records[-2:]] == [
        "7 more things like these were refused within a minute",
        "auscult/more/status: garbage",
    ]


def test_line_holds_no_control_characters_and_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    Complaints().say("a\nb\x1b[31m", "c" * 10_000)
    (record,) = caplog.records
    assert "\n" not in record.message
    assert "\x1b" not in record.message
    assert len(record.message) < 500
