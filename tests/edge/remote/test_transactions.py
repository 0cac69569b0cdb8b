from __future__ import annotations

import pytest

from edge.remote.requests import CommandError
from edge.remote.transactions import REMEMBERED, REMEMBERED_S, Transactions


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_transactions_same_command_again_is_answered_from_memory() -> None:
    transactions = Transactions(Clock())
    assert transactions.begin("snooze", "a", b"{1}") is None
    assert transactions.begin("snooze", "a", b"{1}") == b""  # not done yet
    transactions.end("snooze", "a", b"done")
    assert transactions.begin("snooze", "a", b"{1}") == b"done"
    assert transactions.begin("mark", "a", b"{1}") is None
    assert transactions.begin("snooze", None, b"{1}") is None
    assert transactions.begin("snooze", None, b"{1}") is None


def test_transactions_used_for_another_command_is_refused() -> None:
    transactions = Transactions(Clock())
    transactions.begin("snooze", 7, b"{1}")
    with pytest.raises(CommandError, match="the transaction 7 was used for another snooze lately; give each command its own"):
        transactions.begin("snooze", 7, b"{2}")


def test_transactions_are_forgotten_in_time_and_when_there_are_many() -> None:
    clock = Clock()
    transactions = Transactions(clock)
    transactions.begin("snooze", "a", b"{1}")
    clock.now_s = REMEMBERED_S + 1
    assert transactions.begin("snooze", "a", b"{2}") is None
    for number in range(REMEMBERED):
        transactions.begin("info", number, b"")
    assert transactions.begin("snooze", "a", b"{3}") is None
