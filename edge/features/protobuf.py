"""Protobuf messages, read more strictly than protobuf does, so that no two readers can find different things in the same bytes.

Protobuf skips fields that it does not know or that have another wire type, and joins messages that stand twice. Here each field is known,
has its own wire type, and stands once unless it is a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

NO_MESSAGE = "bytes that are not ONNX"
VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5  # wire types


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a message may have."""

    name: str
    wire: int = LENGTH
    many: bool = False


Message: TypeAlias = Mapping[int, Field]  # by number


class Record:
    """The fields of one message that were there."""

    def __init__(self, fields: Mapping[str, list[memoryview]]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def many(self, name: str) -> list[memoryview]:
        """All of a list."""
        return self._fields.get(name, [])

    def one(self, name: str) -> memoryview:
        """The bytes of a field that must be there."""
        if name not in self._fields:
            raise ValueError(NO_MESSAGE)
        return self._fields[name][0]

    def integer(self, name: str) -> int:
        """The number in a field that must be there."""
        return integer(self.one(name))

    def text(self, name: str) -> str:
        """The text in a field; empty when it is not there."""
        return text(self._fields[name][0]) if name in self._fields else ""


class Reader:
    """Reads the messages of one file, and counts their fields: without number they would take minutes."""

    def __init__(self, most_fields: int) -> None:
        self._left = most_fields

    def record(self, content: memoryview, message: Message) -> Record:
        """The fields of a message. ValueError names what it should not contain."""
        found: dict[str, list[memoryview]] = {}
        for number, wire, value in _fields(content):
            self._left -= 1
            if self._left < 0:
                raise ValueError("more parts than any network of Auscult's")
            field = message.get(number)
            if field is None or field.wire != wire:
                raise ValueError(f"a part (field {number}) that Auscult never writes")
            values = found.setdefault(field.name, [])
            if values and not field.many:
                raise ValueError(f"a part (field {number}) twice")
            values.append(value)
        return Record(found)


def text(content: memoryview) -> str:
    """The text that is meant by the bytes of a field."""
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise ValueError(NO_MESSAGE) from None


def integer(content: memoryview) -> int:
    """The signed number of 64 bits that is meant by the bytes of a field."""
    number, _ = _varint(content, 0)
    if number >= 1 << 64:
        raise ValueError(NO_MESSAGE)
    return number - (1 << 64) if number >= 1 << 63 else number


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """The fields of a message, as (number, wire type, bytes); ValueError where they are none."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        wire = key & 7
        if wire == LENGTH:
            length, place = _varint(message, place)
        elif wire == VARINT:
            length = _varint(message, place)[1] - place
        elif wire in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if wire == EIGHT_BYTES else 4
        else:
            raise ValueError(NO_MESSAGE)
        if place + length > len(message):
            raise ValueError(f"{NO_MESSAGE}, or cut short")
        yield key >> 3, wire, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits per byte, and where it ends."""
    if place < len(message) and message[place] < 0x80:  # as nearly all are
        return message[place], place + 1
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError(f"{NO_MESSAGE}, or cut short")
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError(NO_MESSAGE)
