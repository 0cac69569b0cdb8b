"""A snoozed source publishes no events, and subscribers still receive complete events only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge.judgement.event import Event
from edge.judgement.ulid import new_ulid


class SnoozeFilter:
    """Stands between the tracker of events and what is published of them.

    An event that is open when a snooze begins is closed there. One that lasts beyond the end of a snooze is opened then, with its next
    message, under an id of its own if its first part was told; one that ends within the snooze is never told of.
    """

    def __init__(self, is_snoozed: Callable[[], bool], new_id: Callable[[], str] = new_ulid) -> None:
        self._is_snoozed = is_snoozed
        self._new_id = new_id
        self._open: Event | None = None  # the last message of the event that those who listen take to be open
        self._stands_for: str | None = None  # its id in the tracker's words
        self._cut: str | None = None  # the tracker's id of an event whose first part was published, and closed for a snooze

    def pass_on(self, event: Event) -> Event | None:
        """What is to be published in place of the tracker's message; None for nothing."""
        if self._is_snoozed():
            return None
        if self._open is not None and event.id == self._stands_for:
            told = replace(event, id=self._open.id)
        elif event.type == "closed":  # it was never published
            return None
        else:
            told = replace(event, type="opened", id=self._new_id() if event.id == self._cut else event.id)
            self._stands_for = event.id
        self._open = None if told.type == "closed" else told
        return told

    def begin(self) -> Event | None:
        """A snooze begins: the end of the event that is open, to be published; None without one."""
        event, self._open = self._open, None
        if event is None:
            return None
        self._cut = self._stands_for
        return replace(event, type="closed")
