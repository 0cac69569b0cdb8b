"""The discovery topics that this node has used, so that retained messages can be deleted when they are no longer right."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import msgspec

from edge.atomic_file import replacing

LOG = logging.getLogger("auscult")
MOST = 100
MOST_BYTES = 1 << 16  # of the file; a larger one is not ours
_TOPIC = re.compile(r"[^+#\0]+/device/auscult_[a-zA-Z0-9_-]+/config")


class ToldTopics:
    """A small file. If it is lost, an old device may stay in Home Assistant."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[str]:
        """Return the topics; what is not a discovery topic is left out."""
        try:
            with self._path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
            topics = msgspec.json.decode(content, type=list[str]) if len(content) <= MOST_BYTES else []
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return []
        return [topic for topic in topics if _TOPIC.fullmatch(topic)][-MOST:]

    def write(self, topics: list[str]) -> None:
        """Replace the topics; an empty list deletes the file."""
        try:
            if not topics:
                self._path.unlink(missing_ok=True)
                return
            with replacing(self._path) as file:
                file.write(msgspec.json.encode(topics))
        except OSError as error:  # the outbox says so too, and this matters less
            LOG.debug("%s: cannot be written (%s)", self._path, error.strerror)
