"""The events that the node still knows of, and what somebody has said of them."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path
from typing import Literal

import msgspec

from edge.remote.journal import Journal
from edge.remote.requests import CommandError

LOG = logging.getLogger("auscult.remote")
REMEMBERED = 300  # of each source

Verdict = Literal["false_alarm", "real"]


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as a line of `events.jsonl`; the last line about an event counts."""

    event: str  # its id
    source: str
    bundle: str  # sha256
    t_start: str
    t_end: str
    peak_score: float
    first_bin: int  # of the source's `ScoreRecord`
    last_bin: int
    told: bool = True  # False: it was within a snooze


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `marks.jsonl`: somebody has judged an event."""

    t: str
    event: str
    verdict: Verdict
    note: str
    source: str
    t_start: str
    t_end: str
    peak_score: float


class EventMemory:
    """The last `REMEMBERED` events of each source (`events.jsonl`) and what was said of them (`marks.jsonl`), over restarts."""

    def __init__(self, folder: Path) -> None:
        self._events = Journal(folder / "events.jsonl", KnownEvent)
        self._marks = Journal(folder / "marks.jsonl", Mark)
        self._known: dict[str, OrderedDict[str, KnownEvent]] = {}  # by source, by id
        self._forgotten: set[str] = set()  # sources whose older events are known no more
        self._is_failing = False
        for event in self._events.read():
            self._remember(event)
        self._verdicts = {mark.event: mark.verdict for mark in self._marks.read()}

    def add(self, event: KnownEvent) -> None:
        """An event was opened, or is over. A disk that fails is told once."""
        self._remember(event)
        try:
            self._events.append(event, sync=False)  # the worker does not wait for a slow card; a power cut may take the last ones
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                LOG.error("%s: cannot be written (%s); events are remembered until the daemon stops", self._events.path, error.strerror)
            self._is_failing = True

    def mark(self, mark: Mark) -> None:
        """Keep what somebody has said of an event; the latest counts.

        Raises
        ------
        CommandError
            when the disk does not take it.
        """
        try:
            self._marks.append(mark)
        except OSError as error:
            raise CommandError(f"{self._marks.path} cannot be written ({error.strerror or error}); make room and send it again") from error
        self._verdicts[mark.event] = mark.verdict

    def find(self, event_id: str) -> KnownEvent:
        """The event with this id; raises CommandError when it is not known."""
        for events in self._known.values():
            if event_id in events and events[event_id].told:
                return events[event_id]
        raise CommandError(f"no such event is known here; the node remembers the last {REMEMBERED} of each source")

    def was_told(self, event_id: str) -> bool:
        """Whether those who listen have heard of an event."""
        return any(event_id in events and events[event_id].told for events in self._known.values())

    def of(self, source: str, bundle_sha256: str) -> list[KnownEvent]:
        """The events of a source with a bundle, the oldest first."""
        return [event for event in self._known.get(source, {}).values() if event.bundle == bundle_sha256]

    def is_complete(self, source: str) -> bool:
        """Whether no event of the source was forgotten to make room."""
        return source not in self._forgotten

    def is_false_alarm(self, event_id: str) -> bool:
        """Whether somebody said so, and nobody otherwise since."""
        return self._verdicts.get(event_id) == "false_alarm"

    def _remember(self, event: KnownEvent) -> None:
        events = self._known.setdefault(event.source, OrderedDict())
        events[event.event] = event
        if len(events) > REMEMBERED:
            events.popitem(last=False)
            self._forgotten.add(event.source)
