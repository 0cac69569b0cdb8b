from __future__ import annotations

import logging

import pytest

from edge.mqtt.subscription import Delivery
from edge.remote import inbox as module
from edge.remote.inbox import BURST, CAPACITY, Inbox
from edge.remote.requests import MAXIMUM_BYTES


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def delivery(number: int = 0) -> Delivery:
    return Delivery(f"auscult/test/cmd/{number}", b"{}", False)


def test_inbox_what_comes_is_handed_out_in_order() -> None:
    inbox = Inbox(Clock())
    for number in range(3):
        inbox.put(delivery(number))
    assert [taken and taken.topic[-1] for taken in (inbox.take() for _ in range(4))] == ["0", "1", "2", None]
    assert inbox.dropped == 0


def test_inbox_flood_is_bounded_and_reported_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    inbox = Inbox(clock)
    taken = 0
    with caplog.at_level(logging.WARNING):
        for _ in range(50):  # half a minute
            clock.now_s += 0.6
            for _ in range(100):
                inbox.put(delivery())
            taken += sum(inbox.take() is not None for _ in range(200))
    assert taken <= BURST + 31
    assert inbox.dropped == 5000 - taken
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage() == "commands come too fast (more than 1 a second): 1 ignored so far, without an answer"


def test_inbox_that_nobody_empties_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BURST", 1000)
    clock = Clock()
    inbox = Inbox(clock)
    clock.now_s = 1000.0
    for _ in range(100):
        inbox.put(delivery())
    assert inbox.dropped == 100 - CAPACITY


def test_inbox_keeps_no_more_of_a_payload_than_shows_that_it_is_too_large() -> None:
    inbox = Inbox(Clock())
    for length in (MAXIMUM_BYTES, 100_000):
        inbox.put(Delivery("auscult/test/cmd/info", b"x" * length, False))
    assert [taken and len(taken.payload) for taken in (inbox.take(), inbox.take())] == [MAXIMUM_BYTES, MAXIMUM_BYTES + 1]
