"""What commands need of a source in addition to its scores: snoozing, watching, remembering events, recording scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.bundles.bundle import Bundle
from edge.judgement.event import Event
from edge.judgement.taught import EventSound
from edge.judgement.threshold import Moved
from edge.judgement.window import Window
from edge.mqtt.encoding import Stamp
from edge.mqtt.timestamp import timestamp
from edge.remote.adjustments import Adjustments
from edge.remote.background_writer import Write, at_once
from edge.remote.event_memory import EventMemory, KnownEvent
from edge.remote.event_sounds import FOLDER, EventSounds
from edge.remote.score_record import ScoreRecord
from edge.remote.snooze_filter import SnoozeFilter
from edge.remote.snoozes import Snoozes
from edge.remote.watches import Watches

Taught = tuple[list[EventSound], list[EventSound]]
"""What stood out in false alarms, and in real faults."""


def taught(source: str, events: EventMemory, sounds: EventSounds) -> Taught:
    """What the marks on a source's events teach."""
    return sounds.of(events.judged(source, "false_alarm")), sounds.of(events.judged(source, "real"))


def marks_in_force(state_folder: Path, source: str) -> Taught:
    """The same, as it is on disk."""
    return taught(source, EventMemory(state_folder), EventSounds(state_folder / FOLDER / source))


class SourceControl:
    """Of one source. Used by the worker's thread alone."""

    def __init__(
        self,
        source: str,
        folder: Path,
        snoozes: Snoozes,
        watches: Watches,
        events: EventMemory,
        adjustments: Adjustments,
        write: Write = at_once,
        sounds: EventSounds | None = None,
    ) -> None:
        """`write` has the scores in `folder` written. Of `sounds` those of marked events are in force."""
        self.source = source
        self._folder = folder
        self._write = write
        self._snoozes = snoozes
        self._watches = watches
        self._events = events
        self._adjustments = adjustments
        self._sounds = sounds or EventSounds(folder / FOLDER / source, write)
        self._told_as: dict[str, str] = {}  # the id under which the latest event was published, by that of its tracker
        self._filter = SnoozeFilter(lambda: snoozes.is_snoozed(source))
        self._record: ScoreRecord | None = None
        self._bundle_sha256 = ""
        self._own_surprise = 0.0  # at the bundle's own threshold
        self._window_s = 0.0

    def use(self, bundle: Bundle) -> None:
        """This bundle listens from now on, or to a new stream. Its scores are its own, so each has a record of its own."""
        if self._record is None or bundle.sha256 != self._bundle_sha256:
            if self._record is not None:
                self._record.save()
            self._record = ScoreRecord(self._folder / "scores", self.source, bundle.sha256, write=self._write)
        self._record.began()
        self._bundle_sha256 = bundle.sha256
        first_bin = self._record.bin_of(0.0)
        self._events.end(self.source, bundle.sha256, first_bin - 1)  # an event that is open still is one that an earlier run was killed in
        self._events.watch(self.source, bundle.sha256, first_bin)
        self._own_surprise = bundle.manifest.threshold.score_scale
        self._window_s = float(bundle.manifest.detector.parameters.get("window_s", 10.0))

    @property
    def record(self) -> ScoreRecord:
        """Of the bundle that listens."""
        assert self._record is not None
        return self._record

    @property
    def moved(self) -> Moved | None:
        """How the threshold of the bundle that listens was moved."""
        return self._adjustments.moved(self.source, self._bundle_sha256)

    @property
    def threshold_factor(self) -> float:
        """The threshold in units of the bundle's own."""
        moved = self.moved
        return 1.0 if moved is None else moved.factor

    @property
    def snoozed_until(self) -> str | None:
        """The timestamp at which the snooze ends; None without one."""
        until_s = self._snoozes.until_s(self.source)
        return None if until_s is None else timestamp(until_s)

    @property
    def is_watched(self) -> bool:
        """Whether somebody watches the source."""
        return self._watches.is_watched(self.source)

    def window(self, window: Window) -> None:
        """Record how surprising the sound was."""
        if window.surprise is not None:
            self.record.add(window.t_end_s, window.surprise)

    def event(self, event: Event, stamp: Stamp) -> Event | None:
        """Remember an event of the tracker; return what to publish of it, None for nothing."""
        told = self._filter.pass_on(event)
        if event.type != "updated" or (told is not None and told.type == "opened"):
            self._remember(event, told, stamp)
        if event.type == "closed" and told is not None and told.id != event.id:
            self._told_as = {event.id: told.id}
        if event.type == "closed":  # it may have been published under two ids, before and after a snooze
            self._events.end(self.source, self._bundle_sha256, self._last_bin(event))
        return told

    def sound(self, sound: EventSound) -> None:
        """Keep what stood out in an event that is over."""
        told = replace(sound, event=self._told_as.pop(sound.event, sound.event))
        self._sounds.add(told, [event for verdict in ("false_alarm", "real") for event in self._events.judged(self.source, verdict)])

    @property
    def taught(self) -> Taught:
        """What stood out in events that were false alarms, and in real ones."""
        return taught(self.source, self._events, self._sounds)

    def teaches(self, event: str) -> bool:
        """Whether what stood out in an event is known, and its verdict in force."""
        return any(event == sound.event for sounds in self.taught for sound in sounds)

    def snooze(self) -> Event | None:
        """A snooze begins: the end of the event that is open, to be published; None without one."""
        return self._filter.begin()

    def interrupt(self) -> None:
        """Nobody listens any more: the event that is open ends without its tracker."""
        self._filter.begin()

    def finish(self) -> None:
        """The stream is over."""
        if self._record is not None:
            self._record.save()

    def _remember(self, event: Event, told: Event | None, stamp: Stamp) -> None:
        record = self.record
        known = KnownEvent(
            event=event.id if told is None else told.id,
            source=self.source,
            bundle=self._bundle_sha256,
            t_start=stamp(event.t_start_s),
            t_end=stamp(event.t_end_s),
            peak_score=round(event.peak_score, 4),
            first_bin=record.bin_of(event.t_start_s),
            last_bin=self._last_bin(event) if event.type == "closed" else None,
            peak_surprise=event.peak_score * self.threshold_factor * self._own_surprise,
            told=told is not None or self._events.was_told(event.id),
        )
        self._events.add(known)

    def _last_bin(self, event: Event) -> int:
        return self.record.bin_of(event.t_end_s + self._window_s)  # windows that end by then hold some of it
