"""Hostile audio files: headers that claim what there is not, in every format that libsndfile might take them for."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.fuzz.mutations import Rng, mutated, pick
from tests.fuzz.seeds import sounds

NUMBERS = (0, 1, 2, 3, 255, 256, 1024, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def audio_case(rng: Rng) -> tuple[str, bytes]:
    """What was done, and the file."""
    suffix = pick(rng, sounds())
    kind: Callable[[Rng, bytes], bytes] = pick(rng, KINDS)
    return f"{kind.__name__} {suffix}", kind(rng, sounds()[suffix])


def damaged(rng: Rng, sound: bytes) -> bytes:
    """Random bytes of the header are wrong."""
    header = int(rng.integers(16, 256))
    return mutated(rng, sound[:header], 5) + sound[header:]


def anywhere(rng: Rng, sound: bytes) -> bytes:
    """Random bytes are wrong, anywhere."""
    return mutated(rng, sound, 8)


def truncated(rng: Rng, sound: bytes) -> bytes:
    """Only a beginning, of the header more often than not."""
    return sound[: int(rng.integers(1, 100 if rng.random() < 0.6 else len(sound)))]


def claimed(rng: Rng, sound: bytes) -> bytes:
    """A number of the header is another: rate, channels, block size, length of a chunk."""
    content = bytearray(sound)
    for _ in range(int(rng.integers(1, 3))):
        form = pick(rng, ("<H", "<I", "<Q", ">H", ">I"))
        place = int(rng.integers(4, 64))
        struct.pack_into(form, content, place, pick(rng, NUMBERS) % 256 ** struct.calcsize(form))
    return bytes(content)


def doubled(rng: Rng, sound: bytes) -> bytes:
    """One file within or behind another, or a header of one format before the content of another."""
    other = sounds()[pick(rng, sounds())]
    place = int(rng.integers(4, 128))
    made: bytes = pick(rng, (sound + other, sound[:place] + other, other[:place] + sound[place:], sound[:12] * 500))
    return made


def loud(rng: Rng, sound: bytes) -> bytes:
    """Samples that are no numbers, or silence, or nothing but full scale."""
    filling: bytes = pick(rng, (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\xff\x7e", b"\0\0\0\0", b"\xff\x7f\xff\x7f", b"\1\0\0\0"))
    return sound[:80] + filling * ((len(sound) - 80) // 4)


KINDS = (damaged, damaged, anywhere, truncated, claimed, claimed, doubled, loud)
