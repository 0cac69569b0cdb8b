"""Cells on the wire: level and anomaly of 16 bands, 25 times a second, one byte each. Here they are only checked, cut and joined."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections import deque
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edge.dashboard.messages import Hertz, Number, Reading, seconds
from edge.mqtt.payloads import Timestamp
from edge.mqtt.timestamp import timestamp

NOTHING: Final = 0xFF  # no sound, or not judged
MOST_STEPS: Final = 250  # of one message
MOST_PER_S: Final = 1000.0  # cells of a message; a node sends 400
MOST_PARTS: Final = 1000  # messages that are kept of a source
RECENT_S: Final = 90.0  # kept of a source that somebody watches: what an event that opens now may need
LONGEST_S: Final = 120.0  # of the picture of an event
BEFORE_S: Final = 5.0  # an event's picture begins so long before it, and ends so long after
AFTER_S: Final = 5.0

Bands = Annotated[list[Hertz], Meta(min_length=2, max_length=129)]


class Cells(Reading, frozen=True, kw_only=True):
    """`<source>/cells`, and the picture of an event, which has the same form and may be longer. `anomaly` is null when nobody knows it."""

    t_start: Timestamp
    step_s: Annotated[float, Meta(gt=0.001, le=1.0)]
    steps: Annotated[int, Meta(ge=0)]
    band_edges_hz: Bands
    level_min_db: Number
    level_step_db: Number
    level: str
    anomaly_step: Number
    anomaly: str | None

    @property
    def bands(self) -> int:
        """How many bands a step has."""
        return len(self.band_edges_hz) - 1

    @property
    def start_s(self) -> float:
        """Seconds since 1970."""
        return seconds(self.t_start)

    @property
    def end_s(self) -> float:
        """Seconds since 1970."""
        return self.start_s + self.steps * self.step_s


def parse_cells(payload: bytes) -> Cells:
    """A message, checked.

    Raises
    ------
    msgspec.MsgspecError, ValueError
        It is none.
    """
    cells = msgspec.json.decode(payload, type=Cells)
    if not 1 <= cells.steps <= MOST_STEPS:
        raise ValueError(f"expected 1 to {MOST_STEPS} steps")
    if cells.bands / cells.step_s > MOST_PER_S:
        raise ValueError(f"more than {MOST_PER_S:.0f} cells in a second")
    if cells.anomaly is None:
        raise ValueError("no anomaly")
    if sorted(set(cells.band_edges_hz)) != cells.band_edges_hz:
        raise ValueError("the edges of the bands do not rise")
    for field in (cells.level, cells.anomaly):
        try:
            found = base64.b64decode(field, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("not base64") from error
        if len(found) != cells.steps * cells.bands:
            raise ValueError("not as many cells as it says")
    seconds(cells.t_start)
    return cells


class RecentCells:
    """The last cells of one source, while somebody watches it."""

    def __init__(self) -> None:
        self._parts: deque[Cells] = deque(maxlen=MOST_PARTS)

    def add(self, cells: Cells) -> None:
        """A message has come."""
        if self._parts and not _continues(cells, self._parts[-1]):
            self._parts.clear()  # another bundle, or another clock
        self._parts.append(cells)
        while self._parts and self._parts[0].end_s < cells.end_s - RECENT_S:
            self._parts.popleft()

    def since(self, start_s: float) -> list[Cells]:
        """What ends after a time, seconds since 1970."""
        return [part for part in tuple(self._parts) if part.end_s > start_s]  # a copy: another thread may add


class EventCells:
    """Collects the cells of one event from a little before it to a little after it."""

    def __init__(self, event_id: str, start_s: float, recent: RecentCells | None) -> None:
        self.event_id = event_id
        self._start_s = start_s - BEFORE_S
        self._end_s = start_s + LONGEST_S - BEFORE_S
        self._parts = [] if recent is None else recent.since(self._start_s)

    def add(self, cells: Cells) -> None:
        """A message has come."""
        if not self._parts or (len(self._parts) < MOST_PARTS and _continues(cells, self._parts[-1])):
            self._parts.append(cells)

    def closes(self, end_s: float) -> None:
        """The event is over, at this time."""
        self._end_s = min(self._end_s, end_s + AFTER_S)

    def is_complete(self, now_s: float) -> bool:
        """Whether nothing can come any more."""
        heard_s = self._parts[-1].end_s if self._parts else self._start_s
        return heard_s >= self._end_s or now_s > self._end_s + 5.0

    def picture(self) -> bytes | None:
        """What was collected, packed; None when nothing was."""
        parts = [part for part in self._parts if part.end_s > self._start_s and part.start_s < self._end_s]
        return pack(joined(parts, self._start_s, self._end_s)) if parts else None


def _continues(cells: Cells, before: Cells) -> bool:
    """Whether a message comes after another: what lies over it would let memory grow. Stamps are rounded to milliseconds."""
    return cells.band_edges_hz == before.band_edges_hz and cells.start_s >= before.end_s - before.step_s / 2.0


def joined(parts: list[Cells], start_s: float, end_s: float) -> Cells:
    """One stretch of all parts that lie between two times; where none does, there was no sound. Bounded by `LONGEST_S`."""
    first = parts[0]
    start_s, end_s = max(start_s, first.start_s), min(end_s, parts[-1].end_s)
    steps = max(0, round(min(end_s - start_s, LONGEST_S) / first.step_s))
    level, anomaly = bytearray([NOTHING]) * (steps * first.bands), bytearray([NOTHING]) * (steps * first.bands)
    for part in parts:
        at = round((part.start_s - start_s) / first.step_s)
        skip, room = max(0, -at), steps - max(0, at)
        count = min(part.steps - skip, room)
        if count <= 0 or part.bands != first.bands:
            continue
        taken = slice(skip * first.bands, (skip + count) * first.bands)
        put = slice((at + skip) * first.bands, (at + skip + count) * first.bands)
        level[put] = base64.b64decode(part.level)[taken]
        if part.anomaly is not None:
            anomaly[put] = base64.b64decode(part.anomaly)[taken]
    told = {name: getattr(first, name) for name in ("step_s", "band_edges_hz", "level_min_db", "level_step_db", "anomaly_step")}
    return Cells(
        **told, t_start=timestamp(start_s), steps=steps, level=base64.b64encode(level).decode(), anomaly=base64.b64encode(anomaly).decode()
    )


def pack(cells: Cells) -> bytes:
    """As it is kept: JSON, compressed."""
    return zlib.compress(msgspec.json.encode(cells), 6)


def unpack(data: bytes) -> Cells:
    """What `pack` has made."""
    return msgspec.json.decode(zlib.decompress(data), type=Cells)
