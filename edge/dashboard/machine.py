"""One source as the page knows it: what its messages said last, and what that means for a person."""

from __future__ import annotations

import math
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from edge.dashboard.messages import Event, Health, Info, Learning, Level, Score, seconds

RECENT_S: Final = 300.0  # of scores, for the page of the source
MOST_RECENT: Final = 1000
SILENT_S: Final = 30.0  # a source that is online and says no score for so long is worth a word

Need = Literal["alarm", "offline", "check", "learning", "fine"]
NEEDS: Final[tuple[Need, ...]] = ("alarm", "offline", "check", "learning", "fine")  # the first needs a person most


@dataclass(slots=True)
class Node:
    """What a node says of itself."""

    name: str
    is_online: bool | None = None  # None before its status is known
    since_s: float | None = None  # when that changed; None when it was so before the dashboard came
    info: Info | None = None
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One score, as long as it is recent. There are hundreds of each source, so names are shared and numbers are small."""

    start_s: float  # of its window
    at_s: float  # end of its window
    score: float | None
    names: tuple[str, ...]
    values: array[float]  # of the heads; NaN where there is none

    @property
    def heads(self) -> dict[str, float | None]:
        """The heads by name."""
        return {name: None if math.isnan(value) else round(value, 4) for name, value in zip(self.names, self.values, strict=True)}


@dataclass(slots=True)
class Machine:
    """What a source's own topics said last."""

    node: str
    source: str
    availability: Literal["online", "offline"] | None = None
    state: Literal["ON", "OFF"] | None = None
    since_s: float | None = None  # when one of the two changed; None when they were so before the dashboard came
    score: Score | None = None
    scored_s: float = 0.0  # when that came, by this computer's clock
    level: Level | None = None
    learning: Learning | None = None
    event: Event | None = None  # the latest
    recent: deque[Heard] = field(default_factory=deque)
    peak: tuple[str, float, dict[str, float | None]] | None = None  # of the latest event: its id, highest score heard and the heads of that

    @property
    def key(self) -> str:
        """`node/source`."""
        return f"{self.node}/{self.source}"

    def hear(self, score: Score, now_s: float) -> None:
        """A window's score has come."""
        self.score, self.scored_s = score, now_s
        names = tuple(score.heads)
        if self.recent and self.recent[-1].names == names:
            names = self.recent[-1].names
        values = array("f", (math.nan if value is None else value for value in score.heads.values()))
        end_s = seconds(score.t_end)
        start_s = end_s if score.t_start is None else seconds(score.t_start)
        self.recent.append(Heard(start_s, end_s, score.score, names, values))
        while len(self.recent) > MOST_RECENT or self.recent[0].at_s < self.recent[-1].at_s - RECENT_S:
            self.recent.popleft()

    def heads_of(self, event: Event) -> dict[str, float | None] | None:
        """The heads of the highest window that overlaps an event, which may be shorter than a hop; None when none was heard."""
        begins_s, ends_s = seconds(event.t_start), seconds(event.t_end)
        if self.peak is not None and self.peak[0] != event.id:
            self.peak = None
        for heard in self.recent:
            overlaps = heard.start_s <= ends_s and begins_s <= heard.at_s
            if heard.score is not None and overlaps and (self.peak is None or heard.score > self.peak[1]):
                self.peak = (event.id, heard.score, heard.heads)
        return None if self.peak is None else self.peak[2]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person should know of a source first."""

    need: Need
    reason: str  # "" when there is nothing to say
    since_s: float | None


def judge(machine: Machine, node: Node | None, unmarked: tuple[int, float] | None, now_s: float) -> Verdict:
    """What a source needs; `unmarked` is how many of its events nobody has judged, and since when."""
    health = node.health.sources.get(machine.source) if node is not None and node.health is not None else None
    if node is not None and node.is_online is False:
        told_s = None if node.health is None else seconds(node.health.t)  # the last that it said of itself
        return Verdict("offline", "the node is offline", node.since_s if node.since_s is not None else told_s)
    if machine.availability == "offline":
        return Verdict("offline", (health.reason if health is not None else None) or "no plausible sound arrives", machine.since_s)
    if machine.state == "ON":
        since_s = seconds(machine.event.t_start) if machine.event is not None and machine.event.type != "closed" else machine.since_s
        return Verdict("alarm", _where(machine.event), since_s)
    if machine.score is not None and now_s - machine.scored_s > SILENT_S:
        return Verdict("offline", "no score arrives", machine.scored_s)
    if unmarked is not None:
        count, since_s = unmarked
        return Verdict("check", f"{count} {'event' if count == 1 else 'events'} to judge", since_s)
    if health is not None and health.warnings:
        return Verdict("check", "; ".join(health.warnings), None)
    if machine.learning is not None and machine.learning.problem is not None:
        return Verdict("check", machine.learning.problem, None)
    if machine.learning is not None and machine.learning.state != "settled":
        return Verdict("learning", _progress(machine.learning), None)
    return Verdict("fine", "" if machine.score is not None else "no score yet", None)


def _where(event: Event | None) -> str:
    """Of the strongest region."""
    if event is None or event.type == "closed" or not event.regions:
        return ""
    region = max(event.regions, key=lambda region: region.score or 0.0)
    return f"{hertz(region.f_lo_hz)} to {hertz(region.f_hi_hz)}"


def _progress(learning: Learning) -> str:
    """How far it is."""
    if learning.state == "listening":
        if learning.first_in_s is None:
            return "listening, no alarms yet"
        return f"listening, no alarms for about {max(1.0, learning.first_in_s / 60.0):.0f} min of sound"
    if learning.learned_s is None:
        return ""
    told = f"{learning.learned_s / 3600.0:.1f} h learned"
    if learning.days is not None:
        told += f" of {learning.days:g} days"
    return told if learning.reason is None else f"{told}, not now: {learning.reason}"


def hertz(value: float) -> str:
    """`340 Hz`, `2.1 kHz`."""
    return f"{value:.0f} Hz" if value < 1000.0 else f"{value / 1000.0:.1f} kHz"


def snapshot(machine: Machine, node: Node | None, unmarked: tuple[int, float] | None, now_s: float) -> dict[str, Any]:
    """All of a source but its score, as the page takes it."""
    found = judge(machine, node, unmarked, now_s)
    health = node.health.sources.get(machine.source) if node is not None and node.health is not None else None
    is_open = machine.event is not None and machine.event.type != "closed" and machine.state == "ON"
    return {
        "key": machine.key,
        "node": machine.node,
        "source": machine.source,
        "need": found.need,
        "reason": found.reason,
        "since": found.since_s,
        "unmarked": 0 if unmarked is None else unmarked[0],
        "event": machine.event.id if machine.event is not None and is_open else None,
        "peak": machine.event.peak_score if machine.event is not None and is_open else None,
        "snoozed_until": _future(health.snoozed_until if health is not None else None, now_s),
        "learning": machine.learning.state if machine.learning is not None else None,
    }


def _future(stamp: str | None, now_s: float) -> float | None:
    if stamp is None:
        return None
    at_s = seconds(stamp)
    return at_s if at_s > now_s else None
