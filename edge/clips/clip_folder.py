"""The folder of clips: what files are called, how they are written, and which are deleted."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import soundfile

from edge.atomic_file import replacing
from edge.clips.clip import Clip
from edge.config.schema import Config

SUFFIX = ".flac"
_OURS = re.compile(r"[a-zA-Z0-9_-]+-\d{8}T\d{6}Z-[0-9A-Za-z]+\.(flac|json)")


def clip_name(source: str, t_start: str, mark: str) -> str:
    """`pump1-20261120T100000Z-01HF...`, of a timestamp and an event's id or another mark; names of a source sort by time."""
    return f"{source}-{t_start[:19].replace('-', '').replace(':', '')}Z-{mark}"


class ClipFolder:
    """Deletes no file that is not called like a clip."""

    def __init__(self, path: Path, keep_s: float, capacity_bytes: int, wall: Callable[[], float] = time.time) -> None:
        """Clips older than `keep_s`, by the clock on the wall, are deleted, and the oldest while they take more than `capacity_bytes`."""
        self.path = path
        self.capacity_bytes = capacity_bytes
        self._keep_s = keep_s
        self._wall = wall

    @classmethod
    def of(cls, config: Config) -> ClipFolder:
        """As config.yaml wants it."""
        return cls(config.clips_folder, config.clips.keep_days * 86_400.0, round(config.clips.capacity_mb * 1e6))

    def path_of(self, name: str) -> Path:
        """Where the sound of a clip is."""
        return self.path / f"{name}{SUFFIX}"

    def write(self, clip: Clip) -> None:
        """Write a clip; of a name that is there already, only what is said of it, when it comes without sound.

        Raises
        ------
        OSError
            The disk is full or fails, or the folder may not be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if clip.parts:
            # 24 bits: of a 16-bit microphone they take no more room than 16, and of a better one nothing is lost.
            encoded = io.BytesIO()  # written by itself, it would print what the disk says instead of raising it
            soundfile.write(encoded, clip.sound(), clip.rate_hz, format="FLAC", subtype="PCM_24")
            with replacing(self.path_of(clip.name)) as file:
                file.write(encoded.getbuffer())
        with replacing(self.path / f"{clip.name}.json") as file:
            file.write(msgspec.json.format(msgspec.json.encode(clip.about), indent=1) + b"\n")

    def tidy(self) -> tuple[int, int]:
        """Delete what is too old or too much; return how many clips were deleted, and how many bytes are left.

        Raises
        ------
        OSError
            The folder cannot be read, or a file not be deleted.
        """
        files = {path: path.stat() for path in self.path.glob("*") if _OURS.fullmatch(path.name)}
        taken = sum(stat.st_size for stat in files.values())
        oldest_s = self._wall() - self._keep_s
        deleted = 0
        for path, stat in sorted(files.items(), key=lambda item: (item[1].st_mtime, item[0].name)):
            if taken <= self.capacity_bytes and stat.st_mtime >= oldest_s:
                continue
            path.unlink(missing_ok=True)
            taken -= stat.st_size
            deleted += path.suffix == SUFFIX
        return deleted, taken
