"""Changes that are not in the outbox's file yet: messages to add, and messages to delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.outbox.entry import Entry
from edge.outbox.ledger import Ledger


class Unwritten:
    """The difference between the outbox's memory and its file. Not thread-safe: it is changed only under the lock of `OutboxQueue`.

    The last message of each source is to be added even if it has arrived already: its `seq` is where the next run goes on (see `Ledger`).
    """

    def __init__(self) -> None:
        self.unsaved: dict[Entry, None] = {}  # to be added, in order
        self.done: dict[int, str] = {}  # to be forgotten, number: source
        self.last: dict[str, Entry] = {}  # of each source, in the file or not

    def add(self, entry: Entry) -> None:
        """A new message, the last of its source."""
        self.unsaved[entry] = None
        self.last[entry.source] = entry

    def forget(self, number: int, source: str) -> None:
        """A message has arrived, or is given up."""
        self.done[number] = source

    def listed(self) -> tuple[list[Entry], list[tuple[int, str]]]:
        """Return what is to be added and what is to be forgotten; a message that came and went since need not be written at all."""
        for entry in [entry for entry in self.unsaved if entry.delivered and self.last[entry.source] is not entry]:
            del self.unsaved[entry]
        return list(self.unsaved), list(self.done.items())

    def written(self, entries: Sequence[Entry], done: Sequence[tuple[int, str]]) -> None:
        """The file holds `entries` now and has forgotten `done`."""
        for entry in entries:
            entry.saved = True
            self.unsaved.pop(entry, None)
        for number, _ in done:
            self.done.pop(number, None)

    def turn_to(self, ledger: Ledger, waiting: Mapping[int, Entry], later_s: float) -> None:
        """A new file is open: add all that waits in memory, and the last message of each source, to it.

        `waiting` is by number. The messages come behind those in the file, and the outbox's clock is set forward by `later_s`.
        """
        last_ones = {entry.number: entry for entry in self.last.values()}
        for number, entry in last_ones.items():
            entry.delivered |= number not in waiting
        ours = {**last_ones, **waiting}
        self.unsaved = {ours[number]: None for number in sorted(ours)}
        for entry in self.unsaved:
            entry.number += ledger.last_number
            entry.entered_s += later_s
            entry.saved = False
        self.last = {entry.source: entry for entry in ledger.latest} | self.last
        self.done.clear()
