"""The names of all sources that a node has ever had: for one that is gone, the broker still has retained messages."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from edge.atomic_file import replacing
from edge.config.schema import NAME_PATTERN
from edge.mqtt.topics import Topics

LOG = logging.getLogger("auscult")
MOST_KNOWN = 1000  # the latest; far more than a node ever has
MOST_BYTES = 1 << 20  # of the file; a larger one is not ours


class KnownSources:
    """A small file beside the outbox, `<name>.sources`. Losing it costs no more than that an old message stays on the broker."""

    def __init__(self, outbox: Path, topics: Topics) -> None:
        self._path = outbox.with_name(f"{outbox.name}.sources")
        self._topics = topics
        self._known: dict[str, str] | None = None  # by the topic of the availability: another node may use the file later
        self._now: Collection[str] = ()

    def gone(self, sources: Collection[str]) -> list[str]:
        """Note that `sources` are those of the node now; return the names of those that are gone since it was last asked.

        A new process has never been asked, and hears of all that the node ever had: nobody can say whether the broker, or one that comes
        after it, has heard of it.
        """
        first = self._known is None
        known = self._read() if self._known is None else self._known
        now = {self._topics.availability(name): name for name in sources}
        before = {name for topic, name in known.items() if topic == self._topics.availability(name)} if first else self._now
        if not now.keys() <= known.keys():
            known = dict([*known.items(), *now.items()][-MOST_KNOWN:])
            try:
                with replacing(self._path) as file:
                    file.write(msgspec.json.encode(known))
            except OSError as error:  # the outbox says so too, and this matters less
                LOG.debug("%s: cannot be written (%s)", self._path, error.strerror)
        self._known, self._now = known, tuple(sources)
        return sorted(set(before) - set(sources))

    def _read(self) -> dict[str, str]:
        """What the file says as far as it makes sense: a name that is no name would be published to, and no broker takes `+`."""
        try:
            with self._path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
            known = msgspec.json.decode(content, type=dict[str, str]) if len(content) <= MOST_BYTES else {}
        except (OSError, msgspec.DecodeError, msgspec.ValidationError):
            return {}
        return dict([(topic, name) for topic, name in known.items() if _makes_sense(topic, name)][-MOST_KNOWN:])


def _makes_sense(topic: str, name: str) -> bool:
    """Whether the topic is that of a source of this name, of this node or of one that used the file before."""
    return re.search(NAME_PATTERN, name) is not None and len(name) <= 64 and topic.endswith(f"/{name}/availability")
