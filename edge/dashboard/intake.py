"""Takes what the nodes say, topic by topic: into the fleet, the history and the pages that are open."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from edge.dashboard.cells import RECENT_S, Cells, EventCells, RecentCells, parse_cells
from edge.dashboard.complaints import Complaints
from edge.dashboard.feed import SOURCE_TOPICS, BrokerLink
from edge.dashboard.fleet import Fleet, FullError
from edge.dashboard.history import History
from edge.dashboard.messages import Answer, Event, Health, Info, Learning, Level, Score, is_name, seconds
from edge.mqtt.subscription import Delivery

AHEAD_S = 86_400.0  # scores whose time is further ahead, or a week behind, are filed under the time at which they came
BEHIND_S = 7 * 86_400.0
TODAY_S = 86_400.0  # events that nobody has judged count for so long
COUNT_EVERY_S = 10.0
MOST_WATCHED = 50  # sources whose cells are kept for a while


class Pages(Protocol):
    """The pages that are open; see `Hub`."""

    def tell(self, kind: str, key: str, data: dict[str, Any]) -> None:
        """Something about a source; from any thread."""


class Intake:
    """Used by the network thread. Garbage costs one line in the log and changes nothing."""

    def __init__(
        self,
        base_topic: str,
        fleet: Fleet,
        history: History,
        pages: Pages,
        on_answer: Callable[[str, str, Answer, dict[str, Any]], None],
        complaints: Complaints | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`on_answer(node, verb, answer, whole)` is told of answers to commands."""
        self._prefix = f"{base_topic}/"
        self._fleet = fleet
        self._history = history
        self._pages = pages
        self._on_answer = on_answer
        self._wall = wall
        self._complaints = complaints or Complaints()
        self._recent: dict[str, RecentCells] = {}  # by key of the source
        self._pictures: dict[str, EventCells] = {}  # of events that are open or just closed
        self._lost_s: float | None = None  # when the connection was lost
        self._lost_reason = ""
        self._counted_s = 0.0
        self._is_counted = False  # `poll` counts, not every event of a flood
        self._sources: dict[str, Callable[[str, str, bytes], None]] = {
            "availability": self._availability,
            "state": self._state,
            "score": self._score,
            "event": self._event,
            "level": self._level,
            "cells": self._cells,
            "learning": self._learning,
        }

    def deliver(self, delivery: Delivery) -> None:
        """Take one message; never raises what a message or a disk can cause."""
        try:
            self._take(delivery.topic, delivery.payload)
        except FullError as error:
            self._complaints.say(delivery.topic, str(error))
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
            self._complaints.say(delivery.topic, f"not what this topic says ({error}); ignored, retained or not")
        except sqlite3.Error as error:
            self._complaints.say("history", f"cannot be read ({error})")

    def poll(self) -> None:
        """What is to do from time to time."""
        now_s = self._wall()
        try:
            for key, picture in list(self._pictures.items()):
                if picture.is_complete(now_s):
                    del self._pictures[key]
                    self._keep(key, picture)
            if not self._is_counted or abs(now_s - self._counted_s) >= COUNT_EVERY_S:
                self.count_unmarked()
            self._history.poll()
        except sqlite3.Error as error:
            self._complaints.say("history", f"cannot be read ({error})")

    def count_unmarked(self) -> None:
        """See again which sources have events that nobody has judged."""
        self._counted_s, self._is_counted = self._wall(), True
        self._fleet.set_unmarked(self._history.events.unmarked(self._counted_s - TODAY_S))

    def close(self) -> None:
        """Keep what is half collected."""
        for key, picture in self._pictures.items():
            self._keep(key, picture)
        self._pictures.clear()

    def link(self, link: BrokerLink) -> None:
        """The connection to the broker has come or gone."""
        now_s = self._wall()
        if link.state == "connected":
            if self._lost_s is not None:
                self._history.add_gap(self._lost_s, now_s, self._lost_reason)
                self._lost_s = None
        elif self._lost_s is None:
            self._lost_s, self._lost_reason = now_s, f"no connection to the broker ({link.reason})"
        self._pages.tell("broker", "", {"state": link.state, "reason": link.reason, "since": link.since_s})

    def _take(self, topic: str, payload: bytes) -> None:
        parts = topic.removeprefix(self._prefix).split("/")
        if not topic.startswith(self._prefix) or not all(map(is_name, parts)):
            raise ValueError("the topic has names that no node or source may have")
        match parts:
            case [node, "status"]:
                self._status(node, payload)
            case [node, "info"]:
                self._info(node, payload)
            case [node, "health"]:
                self._health(node, payload)
            case [node, "response", verb]:
                answer = msgspec.json.decode(payload, type=Answer)
                self._answer(node, verb, answer, msgspec.json.decode(payload))
            case [node, source, leaf] if leaf in SOURCE_TOPICS and source not in ("cmd", "response"):
                self._sources[leaf](node, source, payload)
            case _:
                raise ValueError("no topic of a node")

    def _status(self, node: str, payload: bytes) -> None:
        if not payload:
            self._fleet.forget_node(node)
            return
        is_online = _word(payload, "online", "offline") == "online"
        with self._fleet.lock:
            found = self._fleet.node(node)
            if found.is_online is not is_online:
                found.since_s = None if found.is_online is None else self._wall()
                found.is_online = is_online

    def _info(self, node: str, payload: bytes) -> None:
        info = msgspec.json.decode(payload, type=Info)
        with self._fleet.lock:
            self._fleet.node(node).info = info

    def _health(self, node: str, payload: bytes) -> None:
        health = msgspec.json.decode(payload, type=Health)
        seconds(health.t)
        for source in health.sources.values():
            if source.snoozed_until is not None:
                seconds(source.snoozed_until)
        with self._fleet.lock:
            self._fleet.node(node).health = health
        for source_name in health.sources:
            self._pages.tell("health", f"{node}/{source_name}", {})

    def _availability(self, node: str, source: str, payload: bytes) -> None:
        if not payload:
            self._fleet.forget(node, source)
            return
        word = _word(payload, "online", "offline")
        with self._fleet.lock:
            machine = self._fleet.machine(node, source)
            if machine.availability != word:
                machine.since_s = None if machine.availability is None else self._wall()
                machine.availability = "online" if word == "online" else "offline"

    def _state(self, node: str, source: str, payload: bytes) -> None:
        if not payload:
            self._fleet.forget(node, source)
            return
        word = _word(payload, "ON", "OFF")
        with self._fleet.lock:
            machine = self._fleet.machine(node, source)
            if machine.state != word:
                machine.since_s = None if machine.state is None else self._wall()
                machine.state = "ON" if word == "ON" else "OFF"

    def _score(self, node: str, source: str, payload: bytes) -> None:
        score = msgspec.json.decode(payload, type=Score)
        at_s, now_s = seconds(score.t_end), self._wall()
        with self._fleet.lock:
            self._fleet.machine(node, source).hear(score, now_s)
        if score.score is not None:
            filed_s = at_s if now_s - BEHIND_S < at_s < now_s + AHEAD_S else now_s
            self._history.buckets.add(node, source, filed_s, score.score, above=score.anomalous)
        told = {"t": at_s, "score": score.score, "heads": score.heads, "lost_s": score.lost_s, "anomalous": score.anomalous}
        self._pages.tell("score", f"{node}/{source}", told)

    def _event(self, node: str, source: str, payload: bytes) -> None:
        event = msgspec.json.decode(payload, type=Event)
        start_s, end_s = seconds(event.t_start), seconds(event.t_end)
        if start_s > self._wall() + AHEAD_S:
            raise ValueError("an event of the future")
        with self._fleet.lock:
            machine = self._fleet.machine(node, source)
            if machine.event is None or seconds(machine.event.t_start) <= start_s:
                machine.event = event
            heads = machine.heads_of(event)
        if not self._history.events.put(node, source, event):
            return
        if heads is not None:
            self._history.events.set_heads(node, source, event.id, heads)
        key = f"{node}/{source}"
        recent = self._recent.get(key)
        picture = self._pictures.get(key)
        if picture is None or picture.event_id != event.id:
            if picture is not None:
                self._keep(key, picture)
            picture = self._pictures[key] = EventCells(event.id, start_s, recent)
        if event.type == "closed":
            picture.closes(end_s)
        self._is_counted = False
        self._tell_event(node, source, event.id)

    def _level(self, node: str, source: str, payload: bytes) -> None:
        level = msgspec.json.decode(payload, type=Level)
        with self._fleet.lock:
            self._fleet.machine(node, source).level = level
        self._pages.tell("level", f"{node}/{source}", {"dbfs": level.dbfs, "clipped_fraction": level.clipped_fraction})

    def _cells(self, node: str, source: str, payload: bytes) -> None:
        cells = parse_cells(payload)
        key = f"{node}/{source}"
        if self._fleet.known(node, source) is None:
            raise ValueError("cells of a source that nobody knows")
        if key not in self._recent and len(self._recent) >= MOST_WATCHED:
            del self._recent[next(iter(self._recent))]
        self._recent.setdefault(key, RecentCells()).add(cells)
        if key in self._pictures:
            self._pictures[key].add(cells)
        self._pages.tell("cells", key, as_told(cells))

    def _learning(self, node: str, source: str, payload: bytes) -> None:
        learning = msgspec.json.decode(payload, type=Learning) if payload else None
        with self._fleet.lock:
            self._fleet.machine(node, source).learning = learning

    def _answer(self, node: str, verb: str, answer: Answer, whole: dict[str, Any]) -> None:
        if verb == "mark" and answer.status == "ok" and answer.event and answer.source and answer.verdict:
            self._history.events.mark(node, answer.source, answer.event, answer.verdict, None, self._wall())
            self.count_unmarked()
            self._tell_event(node, answer.source, answer.event)
        self._on_answer(node, verb, answer, whole)

    def picture_so_far(self, key: str, event_id: str) -> bytes | None:
        """What was collected of an event that goes on; from any thread."""
        picture = self._pictures.get(key)
        return picture.picture() if picture is not None and picture.event_id == event_id else None

    def recent_cells(self, key: str) -> list[dict[str, Any]]:
        """What a page that is opened now can show at once; from any thread."""
        recent = self._recent.get(key)
        return [] if recent is None else [as_told(part) for part in recent.since(self._wall() - RECENT_S)]

    def _tell_event(self, node: str, source: str, event_id: str) -> None:
        """Its pages look at it again."""
        self._pages.tell("event", f"{node}/{source}", {"id": event_id})

    def _keep(self, key: str, picture: EventCells) -> None:
        data = picture.picture()
        if data is not None:
            node, _, source = key.partition("/")
            self._history.events.put_picture(node, source, picture.event_id, data)
            self._tell_event(node, source, picture.event_id)


def as_told(cells: Cells) -> dict[str, Any]:
    """Cells as the page takes them: the time in seconds since 1970."""
    told: dict[str, Any] = msgspec.to_builtins(cells)
    return {**told, "t_start": cells.start_s}


def _word(payload: bytes, *words: str) -> str:
    text = payload[:20].decode("utf-8", "replace")
    if text not in words:
        raise ValueError(f"expected {' or '.join(words)}")
    return text
