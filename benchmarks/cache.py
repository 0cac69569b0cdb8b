"""Results stored by their inputs: a benchmark that is run again, or was interrupted, measures only what is missing.

The key is a digest of the recordings' content, of the settings and of Auscult's own source, so that nothing stale is ever found. What is
kept are results, not embeddings: those of a second are 360 kB, and a backbone computes them anew in a few milliseconds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from edge.atomic_file import replacing

Result = TypeVar("Result")

ROOMS = ("edge", "export", "calibrate", "benchmarks")


class Cache:
    """A folder of results."""

    def __init__(self, folder: Path | None) -> None:
        """None keeps nothing."""
        self._folder = folder

    def get(self, key: Mapping[str, Any], kind: type[Result]) -> Result | None:
        """A result that was kept; None when there is none, or it cannot be read."""
        if self._folder is None:
            return None
        try:
            return msgspec.json.decode(self._path(key).read_bytes(), type=kind, dec_hook=_decoded)
        except (OSError, msgspec.MsgspecError):
            return None

    def put(self, key: Mapping[str, Any], result: object) -> None:
        """Keep a result."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._path(key)) as file:
            file.write(msgspec.json.encode(result, enc_hook=_encoded))

    def _path(self, key: Mapping[str, Any]) -> Path:
        assert self._folder is not None
        digest = hashlib.sha256(msgspec.json.encode({**key, "source": source_digest()}, order="sorted", enc_hook=str))
        return self._folder / f"{digest.hexdigest()}.json"


def default_folder() -> Path:
    """Where results are kept unless another place is named."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "auscult", "benchmarks")


def digests(paths: Iterable[Path]) -> list[str]:
    """The sha256 of each file's content; nothing of a file that cannot be read, which is left out when it is measured."""
    found = []
    for path in paths:
        try:
            found.append(_digest(path, (status := path.stat()).st_size, status.st_mtime_ns))
        except OSError:
            found.append("")
    return found


@lru_cache(maxsize=1)
def source_digest() -> str:
    """The sha256 of all of Auscult's source."""
    root = Path(__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def _encoded(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise NotImplementedError(type(value).__name__)


def _decoded(kind: type, value: Any) -> Any:
    return np.array(value, np.float64)
