"""What the log says against what arrived."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.faults.recorder import Arrival
from tests.faults.watched import Life

_OPENED = re.compile(r"event ([0-9A-Z]{26}) opened from ")
_STAMP_S = 0.0021  # two stamps, each rounded to a millisecond
_DRIFT = 0.001  # of the sound card's clock against the system's, on top, when time is hurried


@dataclass(slots=True)
class Delivery:
    """The counts, and what is wrong with them."""

    logged: int = 0  # events that the log says were opened
    opened: int = 0  # events whose `opened` arrived
    unlogged: int = 0  # of them, those whose line a SIGKILL kept from the log
    epochs: int = 0
    messages: int = 0  # different ones, by `source`, `epoch` and `seq`
    replayed: int = 0  # of them, those that came late
    repeated: int = 0  # arrivals of a message that had come before
    interrupted: int = 0  # events that the next life of the daemon closed
    problems: list[str] = field(default_factory=list)


def check_delivery(lives: Sequence[Life], arrivals: Sequence[Arrival], speed: float = 1.0) -> Delivery:
    """Compare.

    Messages that come again (QoS 1) are told by their `source`, `epoch` and `seq`, must say the same, and must admit it: `replayed` by the
    daemon, DUP by the broker. Without them: every `opened` of the log has come, once; within an epoch a source's `seq` counts without a
    gap, and no epoch begins below the one before; each event was opened, then perhaps updated, then closed, unless the next run could not
    read of it; and no setting of the clock has stretched one.
    """
    delivery = Delivery()
    logged = [match[1] for life in lives for line in life.lines if (match := _OPENED.search(line))]
    delivery.logged = len(set(logged))
    if len(logged) > len(set(logged)):
        delivery.problems.append("the log opens an event twice")
    messages = _messages(arrivals, delivery)
    delivery.messages = len(messages)
    delivery.replayed = sum(message["replayed"] for message in messages)
    delivery.epochs = len({message["epoch"] for message in messages})
    for source in sorted({message["source"] for message in messages}):
        delivery.problems += _order_problems([message for message in messages if message["source"] == source])
    stories: dict[str, list[dict[str, Any]]] = {}
    for message in messages:
        stories.setdefault(message["id"], []).append(message)
    delivery.opened = sum(story[0]["type"] == "opened" for story in stories.values())
    delivery.interrupted = sum(story[-1]["interrupted"] for story in stories.values())
    delivery.unlogged = len(stories.keys() - set(logged))
    delivery.problems += [f"event {name} is in the log and never arrived" for name in logged if name not in stories]
    last_epoch = messages[-1]["epoch"] if messages else ""
    spans = {(tap["id"], tap["type"]): tap["to_s"] - tap["from_s"] for life in lives for tap in life.taps if tap["kind"] == "event"}
    for name, story in stories.items():
        delivery.problems += [f"event {name}: {problem}" for problem in _story_problems(story, spans, last_epoch, speed)]
    return delivery


def _messages(arrivals: Sequence[Arrival], delivery: Delivery) -> list[dict[str, Any]]:
    """The different messages, in the order in which they came first."""
    seen: dict[tuple[str, str, int], dict[str, Any]] = {}
    for arrival in arrivals:
        message = arrival.json
        first = seen.setdefault((message["source"], message["epoch"], message["seq"]), message)
        if message is first:
            continue
        delivery.repeated += 1
        if {**message, "replayed": True} != {**first, "replayed": True}:
            delivery.problems.append(f"seq {message['seq']} came twice and said two things")
        elif not (message["replayed"] or arrival.again):
            delivery.problems.append(f"seq {message['seq']} came twice and does not admit it")
    return list(seen.values())


def _order_problems(messages: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Of one source. What waits in a file that cannot be read for a while comes after newer epochs, in its own order."""
    last: dict[str, int] = {}
    for message in messages:
        epoch, seq = message["epoch"], message["seq"]
        if epoch in last and seq != last[epoch] + 1:
            yield f"seq goes from {last[epoch]} to {seq}"
        elif epoch not in last and seq <= max(last.values(), default=0):
            yield f"seq of a new epoch begins at {seq}, and {max(last.values())} was before"
        last[epoch] = seq


def _story_problems(story: Sequence[dict[str, Any]], spans: dict[tuple[str, str], float], last_epoch: str, speed: float) -> Iterator[str]:
    types = [message["type"] for message in story]
    may_be_open = story[-1]["epoch"] != last_epoch  # a run that cannot read the file cannot close what it says
    if types != ["opened", *["updated"] * (len(types) - 2), "closed"] and not (
        may_be_open and types == ["opened", *["updated"] * (len(types) - 1)]
    ):
        yield f"its messages are {types}"
    for message in story:
        span_s = spans.get((message["id"], message["type"]))
        if message["type"] == "updated" or message["interrupted"] or span_s is None:
            continue
        told_s = (datetime.fromisoformat(message["t_end"][:-1]) - datetime.fromisoformat(message["t_start"][:-1])).total_seconds()
        if abs(told_s - span_s) > _STAMP_S + (_DRIFT * span_s + 0.02 * speed if speed > 1.0 else 0.0):
            yield f"{message['type']} after {span_s:.3f} s, and its stamps are {told_s:.3f} s apart"
