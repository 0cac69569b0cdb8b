"""How much the outbox writes on an SD card: the bytes that SQLite hands to the kernel, as /proc/self/io counts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.message import Message
from edge.outbox.disk import FORGET_DELAY_S
from edge.outbox.outbox import Outbox

PAYLOAD_BYTES = 1500  # an event with eight regions
MESSAGE_WRITES_BYTES = 5_400  # the bounds of docs/how-it-works.md
EVENT_WRITES_BYTES = 21_600  # of three messages, alone


def written_bytes() -> int:
    path = Path("/proc/self/io")
    if not path.exists():
        pytest.skip("this kernel does not count")
    return int(dict(line.split(": ") for line in path.read_text().splitlines())["wchar"])


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    outbox = Outbox(tmp_path / "outbox.sqlite", clock=lambda: Time.now_s)
    outbox.open(own_thread=False)
    outbox.work()
    return outbox


class Time:
    now_s = 0.0


def tell(outbox: Outbox, *, closes: bool = False) -> None:
    """One message on its way through."""
    outbox.put(Message("auscult/node/pump1/event", b"x" * PAYLOAD_BYTES), "pump1", outbox.next_seq("pump1"), closes=closes)
    outbox.work()
    entry = outbox.take()
    assert entry is not None
    outbox.acknowledge(entry)
    Time.now_s += 10.0
    outbox.work()


def test_outbox_wear_of_an_event_that_is_open_all_day_is_bounded(outbox: Outbox) -> None:
    before, messages = written_bytes(), 1000
    for _ in range(messages):
        tell(outbox)
    outbox.close()
    per_message = (written_bytes() - before) / messages
    print(f"{per_message:.0f} bytes per message, {per_message * 8640 / 1e6:.0f} MB per day with a message every 10 s")
    assert PAYLOAD_BYTES < per_message < MESSAGE_WRITES_BYTES


def test_outbox_wear_of_a_few_events_a_day_is_small_and_silence_costs_nothing(outbox: Outbox) -> None:
    before, events = written_bytes(), 100
    for _ in range(events):
        for closes in (False, False, True):
            tell(outbox, closes=closes)
        for _ in range(20):
            Time.now_s += FORGET_DELAY_S
            outbox.work()
    outbox.close()
    per_event = (written_bytes() - before) / events
    print(f"{per_event:.0f} bytes per event, {per_event * 10 / 1e6:.2f} MB per day with ten events")
    assert 3 * PAYLOAD_BYTES < per_event < EVENT_WRITES_BYTES
