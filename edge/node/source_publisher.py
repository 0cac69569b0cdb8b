"""Publishes the results of one source on its own topics."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from edge.audio.level_meter import Level
from edge.audio.recent import Recent
from edge.bundles.bundle import Bundle
from edge.clips.source_clips import REMEMBERED_S, SourceClips
from edge.device_health import clock_synced
from edge.judgement.cells import Cells
from edge.judgement.event import Event
from edge.judgement.taught import EventSound
from edge.judgement.window import Window
from edge.mqtt.encoding import Stamp, cells_payload, encode, event_payload, rounded, score_payload
from edge.mqtt.payloads import SCHEMA_VERSION, LevelPayload, State, Status
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.node.shared import SharedError, shared
from edge.node.stream_clock import StreamClock
from edge.node.tally import Tally
from edge.remote.source_control import SourceControl, Taught

LOG = logging.getLogger("auscult.source")


def clear_retained(publisher: Publisher, topics: Topics, name: str) -> None:
    """Take back what the broker retains of a source: an empty message does that, also on a broker that is away now."""
    for topic in (topics.availability(name), topics.state(name), topics.learning(name), topics.drift(name)):
        publisher.retain(topic, b"")


@dataclass(frozen=True, slots=True)
class _EventStamps:
    """What must be the same in all messages of an event: whoever sets the wall clock meanwhile neither moves it nor stretches it."""

    t_start: str
    wall_offset_s: float
    clock_synced: bool | None  # the clock that it was stamped with


class SourcePublisher:
    """Turns windows, events and levels into messages; publishes a state or an availability only when it changes."""

    def __init__(
        self,
        name: str,
        publisher: Publisher,
        topics: Topics,
        control: SourceControl | None = None,
        clips: SourceClips | None = None,
    ) -> None:
        """With a `control` commands may ask for the source; with `clips` the sound of its events is kept."""
        self.control = control
        self.clips = clips
        self.tally = Tally()
        self._name = name
        self._publisher = publisher
        self._topics = topics
        self._availability: Status | None = None
        self._state: State | None = None
        self._stamps: dict[str, _EventStamps] = {}  # by event id
        self._open: Event | None = None  # the open event as it was last published
        self.lag_s = 0.0

    def speak_for(self, bundle: Bundle | None) -> None:
        """This bundle judges from now on, None for nothing; events that another one has opened are closed already."""
        if bundle is None:
            return
        self._detector = bundle.manifest.detector.name
        self._bundle_sha256 = bundle.sha256
        if self.control is not None:
            self.control.use(bundle)

    def start(self, clock: StreamClock, bundle: Bundle | None) -> None:
        """The stream begins: no sound and no event yet; replaces the retained messages of an earlier run."""
        self._clock = clock
        self.speak_for(bundle)
        self.availability("offline")
        self._set_state("OFF")

    def availability(self, status: Status, reason: str | None = None) -> None:
        """Publish whether the source can be believed; `reason` is for the log (and in `health`)."""
        if status != self._availability:
            if self._availability is not None:
                LOG.info("%s: %s%s", self._name, status, f" ({reason})" if reason else "")
            self._availability = status
            with shared():
                self._publisher.retain(self._topics.availability(self._name), status.encode())

    def window(self, window: Window) -> None:
        """Publish a score."""
        if self.control is not None:
            self.control.window(window)
        self.lag_s = self._clock.behind_s(window.t_end_s)
        wall_offset_s = self._clock.wall_offset_s()  # one for both ends of the window

        def stamp(stream_s: float) -> str:
            return self._clock.stamp(stream_s, wall_offset_s)

        payload = score_payload(self._name, window, stamp, 1000.0 * self.lag_s)
        self.tally.window(payload)
        with shared():
            self._publisher.send(self._topics.score(self._name), encode(payload))

    @property
    def is_watched(self) -> bool:
        """Whether somebody watches the source."""
        return self.control is not None and self.control.is_watched

    def cells(self, cells: Cells) -> None:
        """Publish cells."""
        with shared():
            self._publisher.send(self._topics.cells(self._name), encode(cells_payload(self._name, cells, self._clock.stamp)))

    def event(self, event: Event) -> None:
        """Publish a message about an event, and the state that follows from it; nothing while the source is snoozed."""
        told = event if self.control is None else self.control.event(event, self._stamp_of(event))
        if told is not None:
            self._tell(told)
        if event.type == "closed":
            self._stamps.pop(event.id, None)

    def sound(self, sound: EventSound) -> None:
        """Keep what stood out in an event that is over, for whoever says later what it was."""
        if self.control is not None:
            self.control.sound(sound)

    @property
    def taught(self) -> Taught:
        """What the verdicts on earlier events teach."""
        return ([], []) if self.control is None else self.control.taught

    def snooze(self) -> None:
        """A snooze begins: the event that is open ends here."""
        last = None if self.control is None else self.control.snooze()
        if last is not None:
            self._tell(last)

    def _stamp_of(self, event: Event) -> Stamp:
        if event.id not in self._stamps:
            wall_offset_s = self._clock.wall_offset_s()
            self._stamps[event.id] = _EventStamps(self._clock.stamp(event.t_start_s, wall_offset_s), wall_offset_s, clock_synced())
        stamps, clock = self._stamps[event.id], self._clock
        return lambda stream_s: stamps.t_start if stream_s == event.t_start_s else clock.stamp(stream_s, stamps.wall_offset_s)

    def _tell(self, event: Event, *, interrupted: bool = False) -> None:
        stamp = self._stamp_of(event)
        stamps = self._stamps[event.id]
        closes = event.type == "closed"
        if self.clips is not None and event.type == "opened":
            self.clips.begin(event, stamp)
        clip = self.clips.file_of(event.id) if self.clips is not None and closes else None
        with shared():  # `seq` continues over all streams of the source, and over restarts
            seq, epoch = self._publisher.next_seq(self._name), self._publisher.epoch
        event = replace(event, seq=seq)
        who = self._detector, self._bundle_sha256, stamps.clock_synced
        payload = event_payload(self._name, event, epoch, stamp, *who, clip, interrupted=interrupted)
        level = logging.DEBUG if event.type == "updated" else logging.WARNING if event.type == "opened" else logging.INFO
        text, seconds = "%s: event %s %s from %s, %.1f s, peak score %.2f", event.t_end_s - event.t_start_s
        # Logged when it is on disk: what the log says has happened reaches the broker, whatever befalls us in between.
        tell = partial(LOG.log, level, text, self._name, event.id, event.type, stamps.t_start, seconds, event.peak_score)
        with shared():
            self._publisher.queue(self._topics.event(self._name), encode(payload), source=self._name, seq=seq, closes=closes, kept=tell)
        self.tally.event(event.type)
        self._open = None if closes else event
        if self.clips is not None:
            self.clips.tell(event, msgspec.to_builtins(payload))
        if closes:
            del self._stamps[event.id]
        self._set_state("OFF" if closes else "ON")

    @property
    def remembered_s(self) -> float:
        """How many seconds of recent sound have to be kept for clips."""
        return REMEMBERED_S if self.clips is not None else 0.0

    def hear(self, recent: Recent, rate_hz: int) -> None:
        """The sound of a new stream is kept there, at this rate."""
        if self.clips is not None:
            self.clips.began(recent, rate_hz)

    def heard(self) -> None:
        """More sound has come, or was lost."""
        if self.clips is not None:
            self.clips.heard()

    def level(self, level: Level, stream_s: float) -> None:
        """Publish the loudness of the second that ended at `stream_s`."""
        payload = LevelPayload(
            schema=SCHEMA_VERSION,
            source=self._name,
            t=self._clock.stamp(stream_s),
            dbfs=None if level.dead else rounded(level.dbfs, 2),
            peak_dbfs=None if level.dead else rounded(level.peak_dbfs, 2),
            clipped_fraction=round(level.clipped_fraction, 6),
        )
        with shared():
            self._publisher.send(self._topics.level(self._name), encode(payload))

    def end(self, reason: str) -> None:
        """The stream is over. An event that its listener has not closed is closed at its last published time."""
        for part in (self._interrupt, self._finish, partial(self.availability, "offline", reason), partial(self._set_state, "OFF")):
            try:
                part()
            except SharedError:
                raise
            except Exception:  # of whatever kind: the others are to be done
                LOG.exception("%s: could not be ended cleanly", self._name)

    def _interrupt(self) -> None:
        if self.control is not None:
            self.control.interrupt()
        if self._open is not None:
            self._tell(replace(self._open, type="closed"), interrupted=True)

    def _finish(self) -> None:
        if self.clips is not None:
            self.clips.finish()
        if self.control is not None:
            self.control.finish()

    def _set_state(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self.tally.is_open = state == "ON"
            with shared():
                self._publisher.retain(self._topics.state(self._name), state.encode())
