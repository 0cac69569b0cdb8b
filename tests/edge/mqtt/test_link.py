from __future__ import annotations

import random

import pytest

from edge.mqtt.backoff import Backoff
from edge.mqtt.link import LONGEST_CONTESTED_S, LONGEST_REFUSED_S, PEACE_S, Link
from edge.mqtt.refusal import ConnectError, ContestedError, PostponedError, RefusedError, SilentError

ID = "auscult-test"


class Time:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def link(time: Time) -> Link:
    rng = random.Random(0)
    return Link(Backoff(rng=rng), rng=rng, clock=lambda: time.now_s, wall=lambda: time.now_s + 1e9)


def test_link_away_backs_off_to_a_minute_and_says_since_when(link: Link, time: Time) -> None:
    assert link.report().state == "connecting"
    waits_s = []
    for _ in range(50):
        failure, wait_s = link.failed(ConnectError("connection refused"), ID)
        time.now_s += wait_s
        waits_s.append(wait_s)
    report = link.report()
    assert (report.state, report.reason, report.attempts, report.since_s) == ("away", "connection refused", 50, 1e9 + 1000.0)
    assert max(waits_s) <= 60.0
    assert 20.0 < sum(waits_s[10:]) / 40 < 40.0  # full jitter
    assert link.is_news(failure)
    assert not link.is_news(failure)


@pytest.mark.parametrize("kind", [RefusedError, PostponedError])
def test_link_refused_waits_a_minute_then_longer(link: Link, kind: type[ConnectError]) -> None:
    waits_s = [link.failed(kind("not authorized"), ID)[1] for _ in range(10)]
    assert 30.0 <= waits_s[0] <= 60.0
    assert all(LONGEST_REFUSED_S / 2 <= wait_s <= LONGEST_REFUSED_S for wait_s in waits_s[3:])
    assert link.report().state == "refused"
    assert link.connected()
    assert 30.0 <= link.failed(kind("not authorized"), ID)[1] <= 60.0


def test_link_contested_is_reported_once_and_gets_slower_although_each_connection_stands_a_while(link: Link, time: Time) -> None:
    taken = ContestedError("another client connected with our client id")
    waits_s, lines = [], 0
    for _ in range(12):
        lines += link.connected()
        time.now_s += 100.0
        failure, wait_s = link.failed(taken, ID)
        lines += link.is_news(failure)
        time.now_s += wait_s
        waits_s.append(wait_s)
    assert lines == 3  # connected, kicked out, connected
    assert all(wait_s >= LONGEST_CONTESTED_S / 2 for wait_s in waits_s[5:])
    assert (link.report().state, link.report().connections) == ("contested", 12)
    link.connected()
    assert link.report().state == "connected"
    assert link.report().reason == str(taken)  # whoever reads `health` through the broker learns of it
    time.now_s += PEACE_S
    assert link.failed(taken, ID)[1] <= 60.0


def test_link_silent_and_short_lives_in_a_row_are_a_contest(link: Link, time: Time) -> None:
    kinds = []
    for _ in range(4):
        link.connected()
        time.now_s += 0.5
        kinds.append(type(link.failed(SilentError("connection lost"), ID)[0]))
    assert kinds == [SilentError, SilentError, ContestedError, ContestedError]
    assert ID in (link.report().reason or "")


def test_link_broker_that_dies_again_and_again_is_no_contest(link: Link, time: Time) -> None:
    for _ in range(10):
        link.connected()
        time.now_s += 20.0
        assert type(link.failed(SilentError("connection lost"), ID)[0]) is SilentError
        assert link.failed(ConnectError("connection refused"), ID)[1] <= 60.0
    assert link.report().state == "away"


@pytest.mark.parametrize(("kind", "stood_s"), [(ConnectError, 0.5), (SilentError, 61.0)])
def test_link_other_losses_are_no_contest(link: Link, time: Time, kind: type[ConnectError], stood_s: float) -> None:
    for _ in range(10):
        link.connected()
        time.now_s += stood_s
        assert type(link.failed(kind("connection lost"), ID)[0]) is kind


def test_link_settled_connection_restarts_the_backoff(link: Link, time: Time) -> None:
    for _ in range(20):
        link.failed(ConnectError("no answer"), ID)
    link.connected()
    time.now_s += 31.0
    assert link.failed(ConnectError("connection lost"), ID)[1] <= 1.0
    assert link.report().attempts == 1
