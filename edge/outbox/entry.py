"""A message of the outbox, its numbers, and a checksum that shows whether it has changed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from edge.message import Message

OVERHEAD_BYTES = 200  # of a row and its topic, counted with every payload


@dataclass(slots=True, eq=False)
class Entry:
    """A message of the outbox. `number` is its place in the order of all; it changes only when a file with older messages turns up."""

    number: int
    source: str
    seq: int
    closes: bool  # the last message of its event
    entered_s: float  # on the outbox's clock
    message: Message
    fresh: bool = False  # it came while the connection stood on which it is about to go out for the first time
    saved: bool = False
    delivered: bool = False  # acknowledged or given up
    kept: Callable[[], None] | None = None  # called once it is saved, or sent from memory because the disk fails

    @property
    def size_bytes(self) -> int:
        """What it counts against the outbox's capacity."""
        return len(self.message.payload) + OVERHEAD_BYTES


def renumbered(message: Message, epoch: str, seq: int, **changes: object) -> Message:
    """Return an event message that is counted as another one, perhaps with other changes of its payload."""
    # Not by way of a payload's type: an older version may have written it.
    payload = {**msgspec.json.decode(message.payload), "epoch": epoch, "seq": seq, **changes}
    return replace(message, payload=msgspec.json.encode(payload))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits in the file, without its payload."""

    number: int
    source: str
    size_bytes: int


def checksum(number: int, source: str, seq: int, closes: int, delivered: int, entered_s: float, topic: str, payload: bytes) -> int:
    """Return the CRC-32 of a row: a card that loses its mind changes bytes that SQLite has no opinion about."""
    body = payload if isinstance(payload, bytes) else repr(payload).encode()  # another type: what a damaged row holds
    return zlib.crc32(body, zlib.crc32(repr((number, source, seq, bool(closes), bool(delivered), float(entered_s), topic)).encode()))
