from __future__ import annotations

import itertools
import json
import math

import pytest

from edge.message import Message
from edge.mqtt.outgoing import ANSWERS_CAPACITY, TRANSIENT_CAPACITY, Outgoing, Ticket
from edge.outbox.outbox import Outbox

WINDOW = 20


def drain(outgoing: Outgoing) -> list[Ticket]:
    tickets = []
    while (ticket := outgoing.take(WINDOW)) is not None:
        tickets.append(ticket)
    return tickets


def texts(tickets: list[Ticket]) -> list[str]:
    return [ticket.message.payload.decode() for ticket in tickets]


def queue(outgoing: Outgoing, *numbers: int) -> None:
    for number in numbers:
        outgoing.queue(Message("event", b'{"epoch":"e","n":%d,"replayed":false}' % number), "pump1", number, closes=False)


def event(number: int, replayed: bool) -> str:
    return json.dumps({"epoch": "e", "n": number, "replayed": replayed}, separators=(",", ":"))


def test_outgoing_transient_while_disconnected_is_lost() -> None:
    outgoing = Outgoing()
    outgoing.send(Message("score", b"1", qos=0))
    outgoing.connected()
    outgoing.send(Message("score", b"2", qos=0))
    assert texts(drain(outgoing)) == ["2"]


def test_outgoing_transient_overflow_keeps_the_newest() -> None:
    outgoing = Outgoing()
    outgoing.connected()
    for number in range(TRANSIENT_CAPACITY + 5):
        outgoing.send(Message("score", str(number).encode(), qos=0))
    assert texts(drain(outgoing))[0] == "5"


def test_outgoing_retained_goes_out_on_every_connection_with_its_latest_value() -> None:
    outgoing = Outgoing()
    outgoing.retain(Message("status", b"online"))
    outgoing.retain(Message("state", b"OFF"))
    outgoing.retain(Message("state", b"ON"))
    for _ in range(2):
        outgoing.connected()
        assert texts(drain(outgoing)) == ["online", "ON"]
        outgoing.disconnected()


def test_outgoing_retained_while_connected_sends_every_change() -> None:
    outgoing = Outgoing()
    outgoing.connected()
    for text in (b"ON", b"OFF", b"ON"):
        outgoing.retain(Message("state", text))
    assert texts(drain(outgoing)) == ["ON", "OFF", "ON"]


def test_outgoing_window_full_lets_only_transient_messages_through() -> None:
    outgoing = Outgoing()
    outgoing.connected()
    queue(outgoing, 0, 1, 2)
    outgoing.send(Message("score", b"score", qos=0))
    taken = [outgoing.take(2) for _ in range(4)]
    assert texts([ticket for ticket in taken if ticket]) == [event(0, False), event(1, False), "score"]
    assert taken[0] is not None
    outgoing.acknowledged(taken[0])
    assert texts(drain(outgoing)) == [event(2, False)]


def test_outgoing_idle_only_after_every_acknowledgement() -> None:
    outgoing = Outgoing()
    outgoing.retain(Message("status", b"online"))
    queue(outgoing, 0)
    assert not outgoing.idle
    outgoing.connected()
    tickets = drain(outgoing)
    assert not outgoing.idle
    for ticket in tickets:
        outgoing.acknowledged(ticket)
    assert outgoing.idle
    outgoing.disconnected()
    assert not outgoing.idle


def test_outgoing_room_runs_out_only_while_connected() -> None:
    outgoing = Outgoing(Outbox(capacity_bytes=4000))
    outgoing.connected()
    for number in range(TRANSIENT_CAPACITY // 2 + 1):
        assert outgoing.has_room
        outgoing.send(Message("score", str(number).encode(), qos=0))
    assert not outgoing.has_room
    outgoing.disconnected()
    assert outgoing.has_room
    queue(outgoing, *range(10))
    assert outgoing.has_room  # waiting for a broker that is away would be for ever
    outgoing.connected()
    assert not outgoing.has_room


def test_outgoing_connection_lost_events_in_flight_go_again_in_order_and_say_so() -> None:
    outgoing = Outgoing(clock=itertools.count(0.0, 1.0).__next__)
    outgoing.connected()
    queue(outgoing, 0, 1, 2, 3)
    tickets = drain(outgoing)
    outgoing.acknowledged(tickets[1])
    outgoing.disconnected()
    queue(outgoing, 4)
    outgoing.connected()
    queue(outgoing, 5)
    assert texts(drain(outgoing)) == [event(0, True), event(2, True), event(3, True), event(4, True), event(5, False)]


def test_outgoing_replays_are_slowed_down_and_what_is_new_is_not() -> None:
    now_s = 100.0
    outgoing = Outgoing(replays_per_s=10.0, clock=lambda: now_s)
    queue(outgoing, 0, 1)
    outgoing.connected()
    queue(outgoing, 2, 3)
    assert texts(drain(outgoing)) == [event(0, True)]
    assert outgoing.replay_in_s == pytest.approx(0.1)
    now_s += 0.05
    assert drain(outgoing) == []
    now_s += 0.06
    assert texts(drain(outgoing)) == [event(1, True), event(2, False), event(3, False)]
    assert outgoing.replay_in_s == math.inf


def test_outgoing_answers_wait_over_connections_until_they_are_acknowledged() -> None:
    outgoing = Outgoing()
    for text in (b"1", b"2", b"3"):
        outgoing.answer(Message("response", text))
    outgoing.connected()
    first, second, third = drain(outgoing)
    outgoing.acknowledged(second)
    assert not outgoing.idle
    outgoing.disconnected()
    outgoing.answer(Message("response", b"4"))
    outgoing.connected()
    again = drain(outgoing)
    assert texts(again) == ["1", "3", "4"]
    for ticket in again:
        outgoing.acknowledged(ticket, refused=ticket is again[0])  # a refused one is not tried again
    assert outgoing.idle
    outgoing.disconnected()
    outgoing.connected()
    assert drain(outgoing) == []
    assert texts([first, third]) == ["1", "3"]


def test_outgoing_answers_are_bounded_and_keep_the_newest() -> None:
    outgoing = Outgoing()
    for number in range(ANSWERS_CAPACITY + 5):
        outgoing.answer(Message("response", b"%d" % number))
    outgoing.connected()
    sent = []
    while tickets := drain(outgoing):  # as many as may be in flight
        sent += texts(tickets)
        for ticket in tickets:
            outgoing.acknowledged(ticket)
    assert sent == [str(number) for number in range(5, ANSWERS_CAPACITY + 5)]
