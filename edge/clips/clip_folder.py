"""The folder of clips: what files are called, how they are written, and which are deleted."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import soundfile

from edge import clock
from edge.atomic_file import replacing
from edge.clips.clip import Clip
from edge.config.schema import Config
from edge.device_health import clock_synced
from edge.private_files import make_folder

SUFFIX = ".flac"
SNAPSHOT = "snapshot"  # the mark of a clip that somebody asked for begins so, which no event's id does
SNAPSHOT_SHARE = 0.1  # of the capacity: whoever may ask for snapshots cannot flush the clips of events with them
_NAME = r"[a-zA-Z0-9_-]+-\d{8}T\d{6}Z-[0-9A-Za-z]+"
_OURS = re.compile(rf"{_NAME}\.(flac|json)")
_UNFINISHED = re.compile(rf"\.{_NAME}\.(flac|json)\.[0-9a-f]{{8}}\.tmp")  # see `replacing`


def clip_name(source: str, t_start: str, mark: str) -> str:
    """`pump1-20261120T100000Z-01HF...`, of a timestamp and an event's id or another mark; names of a source sort by time."""
    return f"{source}-{t_start[:19].replace('-', '').replace(':', '')}Z-{mark}"


def is_clip(name: str) -> bool:
    """Whether a file name may be that of a clip's sound; no folder can stand in it."""
    return name.endswith(SUFFIX) and _OURS.fullmatch(name) is not None


@dataclass(slots=True)
class _Stored:
    """The files of one clip."""

    name: str
    paths: list[Path] = field(default_factory=list)
    size: int = 0  # bytes
    modified_s: float = float("inf")  # when the first of them was, by the wall clock of that time

    @property
    def is_snapshot(self) -> bool:
        return self.name.rpartition("-")[2].startswith(SNAPSHOT)


class ClipFolder:
    """Deletes no file that is not called like a clip. One thread writes and tidies.

    Ages count from when this process wrote a clip, or found it, by the clock that goes on since the machine was started: setting the
    wall clock makes no clip older. The date of a file counts besides for clips of earlier runs, and only while the system says that
    its clock is synchronised; None is no yes, for it is what a board says before its clock is set when the service may not ask the kernel.
    So a board that never knows the time, and is started again and again, keeps clips for longer than it should, within the capacity.

    Snapshots take at most a tenth of the capacity, and the oldest snapshot goes first; what they take, the clips of events do not.
    The newest clip of an event and the newest snapshot stay whatever their size, for somebody has just been told their names: by so
    much may the folder exceed its capacity.
    """

    def __init__(
        self,
        path: Path,
        keep_s: float,
        capacity_bytes: int,
        wall: Callable[[], float] = time.time,
        now: Callable[[], float] = clock.now_s,
        synced: Callable[[], bool | None] = clock_synced,
    ) -> None:
        """Clips older than `keep_s` are deleted, and the oldest while they take more than `capacity_bytes`."""
        self.path = path
        self.capacity_bytes = capacity_bytes
        self._keep_s = keep_s
        self._wall = wall
        self._now = now
        self._synced = synced
        self._since_s: dict[str, float] = {}  # by name: when this process wrote or found it
        self._order: dict[str, int] = {}  # by name: the clips of this process, in which it wrote them
        self._count = 0

    @classmethod
    def of(cls, config: Config) -> ClipFolder:
        """As config.yaml wants it."""
        return cls(config.clips_folder, config.clips.keep_days * 86_400.0, round(config.clips.capacity_mb * 1e6))

    def path_of(self, name: str) -> Path:
        """Where the sound of a clip is."""
        return self.path / f"{name}{SUFFIX}"

    def files(self) -> list[Path]:
        """All files that are called like one of a clip."""
        return [path for path in self.path.glob("*") if _OURS.fullmatch(path.name)]

    def write(self, clip: Clip) -> None:
        """Write a clip; without sound, write only the description of one whose sound is still there.

        Raises
        ------
        OSError
            The disk is full or fails, or the folder may not be written.
        """
        make_folder(self.path)
        if clip.parts:
            # 24 bits: of a 16-bit microphone they take no more room than 16, and of a better one nothing is lost.
            encoded = io.BytesIO()  # soundfile writing to the path would print the disk's error instead of raising it
            soundfile.write(encoded, clip.sound(), clip.rate_hz, format="FLAC", subtype="PCM_24")
            with replacing(self.path_of(clip.name)) as file:
                file.write(encoded.getbuffer())
            self._since_s[clip.name] = self._now()
            self._count += 1
            self._order[clip.name] = self._count
        elif not self.path_of(clip.name).exists():
            return
        with replacing(self.path / f"{clip.name}.json") as file:
            file.write(msgspec.json.format(msgspec.json.encode(clip.about), indent=1) + b"\n")

    def clear(self) -> int:
        """Delete what a power cut left half-written; return how many files. Only before the first clip is written.

        Raises
        ------
        OSError
            The folder cannot be read, or a file not be deleted.
        """
        unfinished = [path for path in self.path.glob(".*.tmp") if _UNFINISHED.fullmatch(path.name)]
        for path in unfinished:
            path.unlink(missing_ok=True)
        return len(unfinished)

    def tidy(self) -> tuple[int, int]:
        """Delete what is too old or too much; return how many clips were deleted, and how many bytes are left.

        Raises
        ------
        OSError
            The folder cannot be read, or a file not be deleted.
        """
        stored = self._stored()
        too_old = self._too_old(stored)
        young = [clip for clip in stored if clip not in too_old]
        snapshots = [clip for clip in young if clip.is_snapshot]
        share = SNAPSHOT_SHARE * self.capacity_bytes
        room = self.capacity_bytes - min(share, sum(clip.size for clip in snapshots))
        doomed = [*too_old, *_beyond(snapshots, share), *_beyond([clip for clip in young if not clip.is_snapshot], room)]
        for clip in doomed:
            for path in clip.paths:
                path.unlink(missing_ok=True)
        deleted = sum(self.path_of(clip.name) in clip.paths for clip in doomed)
        return deleted, sum(clip.size for clip in stored) - sum(clip.size for clip in doomed)

    def _stored(self) -> list[_Stored]:
        """What is there, the oldest first. What this process has written is newer than all it has found, whatever its dates say."""
        found: dict[str, _Stored] = {}
        for path in self.files():
            clip = found.setdefault(path.stem, _Stored(path.stem))
            stat = path.stat()
            clip.paths.append(path)
            clip.size += stat.st_size
            clip.modified_s = min(clip.modified_s, stat.st_mtime)
        self._order = {name: place for name, place in self._order.items() if name in found}
        now_s = self._now()
        self._since_s = {name: self._since_s.get(name, now_s) for name in found}
        return sorted(found.values(), key=lambda clip: (self._order.get(clip.name, 0), clip.modified_s, clip.name))

    def _too_old(self, stored: Sequence[_Stored]) -> list[_Stored]:
        now_s, wall_s, is_synced = self._now(), self._wall(), self._synced() is True

        def age_s(clip: _Stored) -> float:
            known_s = now_s - self._since_s[clip.name]
            return max(known_s, wall_s - clip.modified_s) if is_synced and clip.name not in self._order else known_s

        return [clip for clip in stored if age_s(clip) > self._keep_s]


def _beyond(clips: Sequence[_Stored], room: float) -> list[_Stored]:
    """The oldest, as many as have to go before the others fit; never the newest."""
    taken = sum(clip.size for clip in clips)
    beyond: list[_Stored] = []
    for clip in clips[:-1]:
        if taken <= room:
            break
        beyond.append(clip)
        taken -= clip.size
    return beyond
