"""Where Home Assistant was ever told of the node: what is retained there has to be taken back once it is wrong."""

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
    """A small file. Losing it costs no more than that an old device stays in Home Assistant."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[str]:
        """The topics, as far as they make sense."""
        try:
            with self._path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
            topics = msgspec.json.decode(content, type=list[str]) if len(content) <= MOST_BYTES else []
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return []
        return [topic for topic in topics if _TOPIC.fullmatch(topic)][-MOST:]

    def write(self, topics: list[str]) -> None:
        """Replace them; without any there is no file."""
        try:
            if not topics:
                self._path.unlink(missing_ok=True)
                return
            with replacing(self._path) as file:
                file.write(msgspec.json.encode(topics))
        except OSError as error:  # the outbox says so too, and this matters less
            LOG.debug("%s: cannot be written (%s)", self._path, error.strerror)
