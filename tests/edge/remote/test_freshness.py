from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from edge.remote.freshness import AHEAD_S, OLDEST_S, Freshness
from edge.remote.inbox import BURST, PER_S
from edge.remote.requests import CommandError, InfoRequest
from edge.remote.transactions import REMEMBERED, REMEMBERED_S
from tests.edge.remote.clocks import Clocks


def sent(clocks: Clocks, ago_s: float = 0.0) -> InfoRequest:
    """A command of so many seconds ago, from another time zone."""
    at = datetime.fromtimestamp(clocks.wall_s - ago_s, timezone(timedelta(hours=2)))
    return InfoRequest(transaction="a", sent_at=at)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def freshness(clocks: Clocks) -> Freshness:
    """Of a run that began an hour ago."""
    freshness = Freshness(clocks.wall, clocks.now)
    clocks.pass_by(3600.0)
    return freshness


@pytest.mark.parametrize("ago_s", [-AHEAD_S, 0.0, OLDEST_S])
def test_freshness_command_of_this_minute_is_taken(clocks: Clocks, freshness: Freshness, ago_s: float) -> None:
    freshness.check(sent(clocks, ago_s))


@pytest.mark.parametrize(
    ("ago_s", "said"),
    [
        (-AHEAD_S - 1, "sent_at: in 6 s by this node's clock, and over MQTT 3.1.1 at most 60 s ago is accepted; set the clocks"),
        (OLDEST_S + 1, "sent_at: 61 s ago by this node's clock"),
        (3600.0 * 24 * 365, "s ago by this node's clock"),
    ],
)
def test_freshness_other_time_is_refused(clocks: Clocks, freshness: Freshness, ago_s: float, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        freshness.check(sent(clocks, ago_s))


@pytest.mark.parametrize("fields", [{}, {"transaction": "a"}, {"sent_at": datetime.fromtimestamp(Clocks.wall_s, timezone.utc)}])
def test_freshness_without_transaction_or_time_is_refused_and_says_what_to_add(freshness: Freshness, fields: dict[str, object]) -> None:
    with pytest.raises(CommandError, match=r"it may be retained.*add \"transaction\", new for each command, and \"sent_at\""):
        freshness.check(InfoRequest(**fields))  # type: ignore[arg-type]


def test_freshness_command_that_the_run_before_may_have_carried_out_is_refused(clocks: Clocks) -> None:
    given = sent(clocks, -AHEAD_S)  # to the run before, by a clock that is ahead
    clocks.pass_by(1.0)
    freshness = Freshness(clocks.wall, clocks.now)
    for _ in range(2 * round(OLDEST_S)):
        with pytest.raises(CommandError):
            freshness.check(given)
        clocks.pass_by(1.0)
    freshness.check(sent(clocks))


def test_freshness_clock_that_is_set_after_the_start_makes_no_older_command_fresh(clocks: Clocks) -> None:
    given = sent(clocks)
    clocks.pass_by(20.0)
    freshness = Freshness(lambda: clocks.wall_s - 7200.0, clocks.now)  # a board that does not know the time yet
    clocks.pass_by(10.0)
    freshness._wall = clocks.wall
    with pytest.raises(CommandError, match="before the daemon was started"):
        freshness.check(given)


def test_freshness_transactions_are_remembered_for_longer_than_commands_are_fresh() -> None:
    assert REMEMBERED_S > OLDEST_S + AHEAD_S
    assert REMEMBERED > BURST + PER_S * (OLDEST_S + AHEAD_S)
