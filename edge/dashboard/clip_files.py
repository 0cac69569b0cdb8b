"""Which files of the folder of clips may be read at all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge.clips.clip_folder import is_clip

MOST_BYTES: Final = 100 << 20  # of a file; a clip has a minute of sound


def clip_path(folder: Path | None, name: str) -> Path | None:
    """The file of a clip in the folder; None when there is none, or when `name` is not one that a clip may have.

    A name is a name: no folder stands in it, and the file is no link to somewhere else.
    """
    if folder is None or not is_clip(name):
        return None
    path = folder / name
    try:
        is_there = path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST_BYTES
    except OSError:
        return None
    return path if is_there else None
