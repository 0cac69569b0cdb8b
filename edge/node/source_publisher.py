"""What one source has to say, on its own topics."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from edge.audio.level_meter import Level
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.mqtt.encoding import encode, event_payload, rounded, score_payload
from edge.mqtt.payloads import SCHEMA_VERSION, LevelPayload, State, Status
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.node.device_health import clock_synced
from edge.node.stream_clock import StreamClock

LOG = logging.getLogger("auscult.source")


@dataclass(frozen=True, slots=True)
class _EventStamps:
    """What must be the same in all messages of an event: whoever sets the wall clock meanwhile neither moves it nor stretches it."""

    t_start: str
    wall_offset_s: float
    clock_synced: bool | None  # the clock that it was stamped with


class SourcePublisher:
    """Turns windows, events and levels into messages; publishes a state or an availability only when it changes."""

    def __init__(self, name: str, publisher: Publisher, topics: Topics, detector: str, bundle_sha256: str) -> None:
        self._name = name
        self._publisher = publisher
        self._topics = topics
        self._detector = detector
        self._bundle_sha256 = bundle_sha256
        self._availability: Status | None = None
        self._state: State | None = None
        self._stamps: dict[str, _EventStamps] = {}  # by event id
        self.lag_s = 0.0

    def start(self, clock: StreamClock) -> None:
        """The stream begins: nothing heard, no event; replaces what an earlier run left retained."""
        self._clock = clock
        self.availability("offline")
        self._set_state("OFF")

    def availability(self, status: Status, reason: str | None = None) -> None:
        """Publish whether the source can be believed; `reason` is for the log (and in `health`)."""
        if status != self._availability:
            if self._availability is not None:
                LOG.info("%s: %s%s", self._name, status, f" ({reason})" if reason else "")
            self._availability = status
            self._publisher.retain(self._topics.availability(self._name), status.encode())

    def window(self, window: Window) -> None:
        """Publish a score."""
        self.lag_s = self._clock.behind_s(window.t_end_s)
        wall_offset_s = self._clock.wall_offset_s()  # one for both ends of the window

        def stamp(stream_s: float) -> str:
            return self._clock.stamp(stream_s, wall_offset_s)

        payload = score_payload(self._name, window, stamp, 1000.0 * self.lag_s)
        self._publisher.send(self._topics.score(self._name), encode(payload))

    def event(self, event: Event) -> None:
        """Publish a message about an event, and the state that follows from it."""
        if event.id not in self._stamps:
            wall_offset_s = self._clock.wall_offset_s()
            self._stamps[event.id] = _EventStamps(self._clock.stamp(event.t_start_s, wall_offset_s), wall_offset_s, clock_synced())
        stamps = self._stamps[event.id]

        def stamp(stream_s: float) -> str:
            return stamps.t_start if stream_s == event.t_start_s else self._clock.stamp(stream_s, stamps.wall_offset_s)

        event = replace(event, seq=self._publisher.next_seq(self._name))  # over all streams of the source, and over restarts
        payload = event_payload(self._name, event, stamp, self._detector, self._bundle_sha256, stamps.clock_synced)
        closes = event.type == "closed"
        self._publisher.queue(self._topics.event(self._name), encode(payload), source=self._name, seq=event.seq, closes=closes)
        if closes:
            del self._stamps[event.id]
        self._set_state("OFF" if closes else "ON")
        level = logging.DEBUG if event.type == "updated" else logging.WARNING if event.type == "opened" else logging.INFO
        LOG.log(
            level,
            "%s: event %s %s from %s, %.1f s, peak score %.2f",
            self._name,
            event.id,
            event.type,
            stamps.t_start,
            event.t_end_s - event.t_start_s,
            event.peak_score,
        )

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
        self._publisher.send(self._topics.level(self._name), encode(payload))

    def end(self, reason: str) -> None:
        """The stream is over."""
        self.availability("offline", reason)
        self._set_state("OFF")

    def _set_state(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._publisher.retain(self._topics.state(self._name), state.encode())
