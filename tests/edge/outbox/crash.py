"""A disk that loses power: what it may hold when the daemon had not yet synced everything.

Between two syncs a disk may have written any part of what it was given, sector by sector, in any order. So of the files before and after
one step of the outbox, everything in between is built that the order of its syncs allows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

SECTOR_BYTES = 512
Image = dict[str, bytes]


def image_of(folder: Path) -> Image:
    """Return the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} if folder.exists() else {}


def lay(image: Image, folder: Path) -> None:
    """Make a folder with these files."""
    folder.mkdir(parents=True)
    for name, data in image.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)


def torn(before: bytes, after: bytes, rng: random.Random) -> bytes:
    """Return a file of which some sectors are on the disk and others are not."""
    length = rng.choice([len(before), len(after), rng.randrange(min(len(before), len(after)), max(len(before), len(after)) + 1)])
    data = bytearray(before[:length].ljust(length, b"\0"))
    share = rng.choice([0.1, 0.5, 0.9])
    for at in range(0, length, SECTOR_BYTES):
        if rng.random() < share:
            sector = after[at : min(at + SECTOR_BYTES, length)]
            data[at : at + len(sector)] = sector
    return bytes(data)


def crashes(before: Image, after: Image, synced: list[str], most: int, rng: random.Random) -> Iterator[Image]:
    """Yield what the disk may hold after a crash in a step that wrote and synced the files `synced`, in this order."""
    order = [name for name in synced if before.get(name) != after.get(name)]
    for _ in range(most if order else 0):
        at = rng.randrange(len(order))
        image = dict(before)
        for name in order[:at]:
            _put(image, name, after.get(name))
        name = order[at]
        if name in before and name in after:
            image[name] = torn(before[name], after[name], rng)
        elif name in after:
            image[name] = torn(b"", after[name], rng)
        elif rng.random() < 0.5:
            _put(image, name, None)
        yield image


def _put(image: Image, name: str, data: bytes | None) -> None:
    if data is None:
        image.pop(name, None)
    else:
        image[name] = data
