"""Patches of hours of sound: in memory as far as they are few, the others in a file without a name, which ends with the process."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrate.packed_blocks import PackedBlocks

Float16 = NDArray[np.float16]

SPARED_BYTES = 1 << 30  # of the disk: a board that records or runs a node goes on writing
LOOK_BYTES = 64 << 20  # between looks at how much is free
_PLACES = ("/var/tmp",)  # a disk where /tmp is often memory


class _Unnamed:
    """A file that nobody else can open, closed when nobody needs it; the disk has its room again then, even after a crash."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile(dir=_folder()) as file:
            self.descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.descriptor)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an array is in the file."""

    offset: int
    shape: tuple[int, ...]


class _OnDisk(Mapping[str, Float16]):
    """Patches that are read when they are asked for."""

    def __init__(self, file: _Unnamed, places: Mapping[str, _Place]) -> None:
        self._file = file
        self._places = places

    def __getitem__(self, feature: str) -> Float16:
        place = self._places[feature]
        content = os.pread(self._file.descriptor, 2 * int(np.prod(place.shape)), place.offset)
        return np.frombuffer(content, np.float16).reshape(place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Spool:
    """Keeps patches and hands out the same ones."""

    def __init__(self, memory_bytes: int) -> None:
        """So many bytes of patches are kept in memory."""
        self._memory_bytes = memory_bytes
        self._kept_bytes = 0
        self._file: _Unnamed | None = None
        self._end = 0
        self._checked = 0  # bytes of the file for which there was room
        self._full = False

    def keep(self, blocks: PackedBlocks) -> PackedBlocks | None:
        """The same blocks as they are kept; None when there is no room on the disk."""
        size = size_bytes(blocks)
        if self._kept_bytes + size <= self._memory_bytes:
            self._kept_bytes += size
            return blocks
        return None if self._full else self._written(blocks)

    def give_back(self, blocks: PackedBlocks) -> None:
        """Nobody needs blocks that were kept; what is in the file stays there."""
        if not isinstance(blocks.patches, _OnDisk):
            self._kept_bytes -= size_bytes(blocks)

    def _written(self, blocks: PackedBlocks) -> PackedBlocks | None:
        places = {}
        try:
            file = self._file = self._file or _Unnamed()
            for feature, patches in blocks.patches.items():
                content = np.ascontiguousarray(patches).tobytes()
                self._check_room(file, len(content))
                if os.pwrite(file.descriptor, content, self._end) < len(content):
                    raise OSError
                places[feature] = _Place(self._end, patches.shape)
                self._end += len(content)
        except OSError:  # no room, or no folder that can be written
            self._full = True
            return None
        return replace(blocks, patches=_OnDisk(file, places))

    def _check_room(self, file: _Unnamed, size: int) -> None:
        if self._end + size > self._checked:
            disk = os.fstatvfs(file.descriptor)
            if disk.f_bavail * disk.f_frsize < SPARED_BYTES + LOOK_BYTES:
                raise OSError
            self._checked = self._end + size + LOOK_BYTES


def size_bytes(blocks: PackedBlocks) -> int:
    """Of their patches."""
    return sum(patches.nbytes for patches in blocks.patches.values())


def _folder() -> str | None:
    """TMPDIR if it is set, else a folder on a disk; None leaves it to Python."""
    if os.environ.get("TMPDIR"):
        return None
    return next((place for place in _PLACES if Path(place).is_dir() and os.access(place, os.W_OK)), None)
