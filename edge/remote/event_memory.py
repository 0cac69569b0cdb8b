"""The latest events of the node, and the verdicts on them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Literal

import msgspec

from edge.remote.background_writer import Problem, Then, Write, at_once, nobody
from edge.remote.journal import Journal
from edge.remote.requests import CommandError

LOG = logging.getLogger("auscult.remote")
REMEMBERED = 300  # of each source
NO_BIN = 2**32  # beyond all bins of a `ScoreRecord`

Verdict = Literal["false_alarm", "real", "clear"]  # clear takes back what was said before
MOST_JUDGED = 24  # events of a source with a verdict whose sound is in force


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as a line of `events.jsonl`; the last line about an event counts."""

    event: str  # its id
    source: str
    bundle: str  # sha256
    t_start: str
    t_end: str
    peak_score: float
    first_bin: int  # of the source's `ScoreRecord`
    last_bin: int | None  # null while it is open
    told: bool = True  # False: it was within a snooze
    peak_surprise: float | None = None  # what its peak score was, in the bundle's own unit; null in lines of earlier versions


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """One source with one bundle, as a line of `events.jsonl`: from this bin of its `ScoreRecord` on all its events are lines there."""

    source: str
    bundle: str  # sha256
    since_bin: int


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `marks.jsonl`: a verdict on an event."""

    t: str
    event: str
    verdict: Verdict
    note: str
    source: str
    t_start: str
    t_end: str
    peak_score: float


class EventMemory:
    """The last `REMEMBERED` events of each source (`events.jsonl`) and the verdicts on them (`marks.jsonl`), across restarts."""

    def __init__(self, folder: Path, write: Write = at_once) -> None:
        """`write` has the files in `folder` written."""
        self._have_written = write
        self._lock = threading.Lock()  # on what `_lines` reads
        self._events: Journal[KnownEvent | Watch] = Journal(folder / "events.jsonl", KnownEvent, Watch, remembered=self._lines)
        self._marks = Journal(folder / "marks.jsonl", Mark)
        self._known: dict[str, OrderedDict[str, KnownEvent]] = {}  # by source, by id
        self._since_bin: dict[tuple[str, str], int] = {}  # by source and bundle: from there on all events are known
        self._is_failing = False
        for line in self._events.read():
            if isinstance(line, Watch):
                self._since_bin[line.source, line.bundle] = line.since_bin
            else:
                self._remember(line)
        if self._events.damaged:  # some are not known any more: the sound of one must not count as normal
            self._since_bin.clear()
        self._verdicts: dict[str, Mark] = {}  # by event, the latest mark last
        for mark in self._marks.read():
            self._judge(mark)

    def add(self, event: KnownEvent) -> None:
        """An event was opened, or is over. A disk failure is logged once."""
        self._remember(event)
        self._append(event)

    def watch(self, source: str, bundle_sha256: str, next_bin: int) -> None:
        """A source listens with a bundle: its events are added from `next_bin` on, if not for longer. A file that was lost ends that."""
        if self.complete_from(source, bundle_sha256) > next_bin:
            with self._lock:
                self._since_bin[source, bundle_sha256] = next_bin
            self._append(Watch(source=source, bundle=bundle_sha256, since_bin=next_bin))

    def end(self, source: str, bundle_sha256: str, last_bin: int) -> None:
        """No event of a source with a bundle is open any more: those that were end with this bin."""
        for event in self.of(source, bundle_sha256):
            if event.last_bin is None:
                self.add(msgspec.structs.replace(event, last_bin=max(event.first_bin, last_bin)))

    def mark(self, mark: Mark, then: Then = nobody) -> None:
        """Keep a verdict on an event; the latest counts, once it is on disk. `then` is called with the reason if it is not."""

        def job() -> Problem:
            try:
                self._marks.append(mark)
            except OSError as error:
                return f"{self._marks.path} cannot be written ({error.strerror or error}); make room and send it again"
            return None

        def finish(problem: Problem) -> None:
            if problem is None:
                self._judge(mark)
            then(problem)

        self._have_written(job, finish)

    def find(self, event_id: str) -> KnownEvent:
        """The event with this id; raises CommandError when it is not known."""
        for events in self._known.values():
            if event_id in events and events[event_id].told:
                return events[event_id]
        raise CommandError(f"no such event is known here; the node remembers the last {REMEMBERED} of each source")

    def was_told(self, event_id: str) -> bool:
        """Whether an event was published."""
        return any(event_id in events and events[event_id].told for events in self._known.values())

    def of(self, source: str, bundle_sha256: str) -> list[KnownEvent]:
        """The events of a source with a bundle, the oldest first."""
        return [event for event in self._known.get(source, {}).values() if event.bundle == bundle_sha256]

    def complete_from(self, source: str, bundle_sha256: str) -> int:
        """The first bin from which all events of a source with a bundle are known; after all bins if there is none."""
        return self._since_bin.get((source, bundle_sha256), NO_BIN)

    def is_false_alarm(self, event_id: str) -> bool:
        """Whether the latest verdict on an event is a false alarm."""
        return event_id in self._verdicts and self._verdicts[event_id].verdict == "false_alarm"

    def is_real(self, event_id: str) -> bool:
        """Whether the latest verdict on an event is a real fault."""
        return event_id in self._verdicts and self._verdicts[event_id].verdict == "real"

    def judged(self, source: str, verdict: Verdict) -> list[str]:
        """The latest events of a source with this verdict, the oldest mark first."""
        events = [mark.event for mark in self._verdicts.values() if mark.source == source and mark.verdict == verdict]
        return events[-MOST_JUDGED:]

    def _judge(self, mark: Mark) -> None:
        self._verdicts.pop(mark.event, None)
        if mark.verdict != "clear":
            self._verdicts[mark.event] = mark

    def _remember(self, event: KnownEvent) -> None:
        with self._lock:
            events = self._known.setdefault(event.source, OrderedDict())
            events[event.event] = event
            if len(events) > REMEMBERED:
                _, forgotten = events.popitem(last=False)
                left = self.of(forgotten.source, forgotten.bundle)
                after = NO_BIN if forgotten.last_bin is None else forgotten.last_bin + 1
                key = (forgotten.source, forgotten.bundle)
                if key in self._since_bin:
                    self._since_bin[key] = max(self._since_bin[key], left[0].first_bin if left else after)

    def _lines(self) -> list[KnownEvent | Watch]:
        """All that is known, as lines of the file."""
        with self._lock:
            lines: list[KnownEvent | Watch] = [
                Watch(source=source, bundle=bundle, since_bin=since_bin) for (source, bundle), since_bin in self._since_bin.items()
            ]
            for events in self._known.values():
                lines += events.values()
        return lines

    def _append(self, line: KnownEvent | Watch) -> None:
        def job() -> Problem:
            try:
                self._events.append(line, sync=False)  # it wears the card; a power cut may take the last ones
            except OSError as error:
                return f"{self._events.path}: cannot be written ({error.strerror}); events are remembered until the daemon stops"
            return None

        def finish(problem: Problem) -> None:
            if problem is not None and not self._is_failing:
                LOG.error("%s", problem)
            self._is_failing = problem is not None

        self._have_written(job, finish)
