from __future__ import annotations

import itertools

from edge.mqtt.message import Message
from edge.mqtt.outbox import Outbox


def event(number: int) -> Message:
    return Message("event", str(number).encode())


def drain(outbox: Outbox) -> list[str]:
    texts = []
    while (entry := outbox.take()) is not None:
        texts.append(entry.message.payload.decode())
    return texts


def test_outbox_full_drops_and_counts_the_oldest() -> None:
    outbox = Outbox(capacity=3)
    for number in range(5):
        outbox.put(event(number))
    assert (len(outbox), outbox.dropped) == (3, 2)
    assert drain(outbox) == ["2", "3", "4"]


def test_outbox_full_with_messages_in_flight_drops_the_oldest_that_waits() -> None:
    outbox = Outbox(capacity=3)
    for number in range(3):
        outbox.put(event(number))
    first = outbox.take()
    assert first is not None
    outbox.put(event(3))
    assert outbox.dropped == 1
    outbox.release()
    assert drain(outbox) == ["0", "2", "3"]


def test_outbox_refused_message_is_counted_as_dropped() -> None:
    outbox = Outbox()
    outbox.put(event(0))
    entry = outbox.take()
    assert entry is not None
    outbox.acknowledge(entry, refused=True)
    outbox.acknowledge(entry, refused=True)  # an answer that comes twice counts once
    assert (len(outbox), outbox.dropped) == (0, 1)


def test_outbox_oldest_age_counts_messages_in_flight() -> None:
    clock = itertools.count(100.0, 10.0)
    outbox = Outbox(clock=lambda: next(clock))
    assert outbox.oldest_age_s is None
    outbox.put(event(0))  # at 100
    outbox.put(event(1))  # at 110
    outbox.take()
    assert outbox.oldest_age_s == 20.0
