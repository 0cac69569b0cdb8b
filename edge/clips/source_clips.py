"""Find the stretch of sound that belongs to an event, and wait until all of it has arrived."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.audio.recent import Recent
from edge.clips.clip import Clip, excerpt
from edge.clips.clip_folder import SNAPSHOT, SUFFIX, clip_name
from edge.clips.clip_writer import ClipWriter
from edge.judgement.event import Event
from edge.mqtt.encoding import Stamp
from edge.mqtt.timestamp import timestamp

LONGEST_S = 60.0  # of a longer event its beginning is kept
REMEMBERED_S = LONGEST_S + 5.0  # a block may arrive at once, and inference may be behind


@dataclass(slots=True)
class _Pending:
    """An event whose clip or story is not complete."""

    name: str
    start: int  # position in native samples
    end: int  # as far as is known now
    stamp: Stamp
    about: dict[str, Any] = field(default_factory=dict)
    is_closed: bool = False
    is_handed: bool = False  # its sound is with the writer
    is_lost: bool = False  # which could not write it


class SourceClips:
    """The clips of one source: from `before_s` before an event to `after_s` after it, at most `LONGEST_S`.

    The end of an event tells the clip's name and waits for nothing: the sound that follows the event is still to come then, and the file
    is written when it has. Only a disk that fails in between breaks that promise, which `health` counts; when it has failed before, no
    name is told. Of an event that is longer than a clip the sound is written before it ends.
    """

    def __init__(self, source: str, before_s: float, after_s: float, writer: ClipWriter, wall: Callable[[], float] = time.time) -> None:
        self._source = source
        self._before_s = before_s
        self._after_s = after_s
        self._writer = writer
        self._wall = wall
        self._recent: Recent | None = None
        self._rate_hz = 0
        self._pending: dict[str, _Pending] = {}  # by event id

    def began(self, recent: Recent, rate_hz: int) -> None:
        """A new stream; what is pending of the one before has no more to come."""
        self.finish()
        self._recent = recent
        self._rate_hz = rate_hz

    def file_of(self, event_id: str) -> str | None:
        """The file that an event's sound is in, or will be in; None when there will be none."""
        pending = self._pending.get(event_id)
        return None if pending is None or pending.is_lost else f"{pending.name}{SUFFIX}"

    def begin(self, event: Event, stamp: Stamp) -> None:
        """An event was opened."""
        if self._recent is not None:
            start = max(0, round((event.t_start_s - self._before_s) * self._rate_hz))
            name = clip_name(self._source, stamp(event.t_start_s), event.id)
            self._pending[event.id] = _Pending(name, start, start + round(LONGEST_S * self._rate_hz), stamp)

    def tell(self, event: Event, payload: dict[str, Any]) -> None:
        """A message about an event was published."""
        pending = self._pending.get(event.id)
        if pending is None:
            return
        pending.about.update(payload)
        if event.type != "closed":
            return
        pending.is_closed = True
        pending.end = min(pending.end, round((event.t_end_s + self._after_s) * self._rate_hz))
        if pending.is_handed:  # its sound is written, but not the end of the story
            if not pending.is_lost:
                self._writer.write(Clip(pending.name, self._rate_hz, (), pending.about))
            del self._pending[event.id]

    def heard(self) -> None:
        """More sound has come: hand over what is complete."""
        for event_id, pending in list(self._pending.items()):
            if self._recent is not None and not pending.is_handed and self._recent.end >= pending.end:
                self._hand_over(event_id, pending)

    def finish(self) -> None:
        """No more sound will come."""
        for event_id, pending in list(self._pending.items()):
            if not pending.is_handed:
                self._hand_over(event_id, pending)
        self._pending.clear()

    def snapshot(self, seconds: float) -> Clip | None:
        """The last seconds, or as many as there are; None when there are none. The folder has a tenth of its room for snapshots."""
        recent = self._recent
        if recent is None or recent.end == 0:
            return None
        start, parts = recent.since(max(0, recent.end - round(seconds * self._rate_hz)))
        began_at = timestamp(self._wall() - (recent.end - start) / self._rate_hz)
        name = clip_name(self._source, began_at, f"{SNAPSHOT}{secrets.token_hex(3)}")
        clip = Clip(name, self._rate_hz, parts)
        clip.about.update(schema=1, source=self._source, type=SNAPSHOT, clip_t_start=began_at, **_measures(clip))
        return clip

    def _hand_over(self, event_id: str, pending: _Pending) -> None:
        assert self._recent is not None
        start, parts = self._recent.since(pending.start)
        clip = Clip(pending.name, self._rate_hz, excerpt(parts, pending.end - start))
        pending.about.update(_measures(clip), clip_t_start=pending.stamp(start / self._rate_hz))
        clip.about.update(pending.about)  # a copy: another thread reads it
        pending.is_handed = True

        def done(problem: str | None) -> None:
            pending.is_lost = problem is not None

        self._writer.write(clip, done)
        if pending.is_closed:
            del self._pending[event_id]


def _measures(clip: Clip) -> dict[str, Any]:
    return {"clip": f"{clip.name}{SUFFIX}", "clip_seconds": round(clip.seconds, 3), "rate_hz": clip.rate_hz}
