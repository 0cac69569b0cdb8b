"""What commands need of the node that carries them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from edge.bundles.bundle import Bundle
from edge.clips.source_clips import SourceClips
from edge.judgement.threshold import Moved
from edge.mqtt.payloads import SourceInfo
from edge.remote.source_control import SourceControl


class PublisherLike(Protocol):
    """What is needed of `edge.node.source_publisher.SourcePublisher`."""

    @property
    def control(self) -> SourceControl | None:
        """What commands may ask for."""

    @property
    def clips(self) -> SourceClips | None:
        """The clips of the source, if any are kept."""

    def snooze(self) -> None:
        """A snooze begins: the event that is open ends here."""


class SourceLike(Protocol):
    """What is needed of `edge.node.source_worker.SourceWorker`."""

    @property
    def bundle(self) -> Bundle | None:
        """What judges; None while nothing does."""

    @property
    def publisher(self) -> PublisherLike:
        """What publishes."""

    def teach(self) -> None:
        """The verdicts on its events have changed."""

    def move_threshold(self, moved: Moved | None) -> None:
        """Judge by another threshold from now on, None for the bundle's own."""


class NodeLike(Protocol):
    """What is needed of `edge.node.daemon.Daemon`."""

    @property
    def workers(self) -> Mapping[str, SourceLike]:
        """The sources by name."""

    @property
    def is_reloading(self) -> bool:
        """Whether a reload is under way."""

    def source_infos(self) -> dict[str, SourceInfo]:
        """The part of `info` about each source."""

    def roll_back(self, source: str, on_done: Callable[[int | None, str | None], None]) -> None:
        """Go back to the learned bundle before the one in force; `on_done` hears its version, or why that cannot be."""

    def accept(self, source: str) -> str | None:
        """What a source alarms at without an end is its new normal; why that cannot be said, in one line, or None."""

    def request_reload(self, on_done: Callable[[str | None], None]) -> None:
        """Read the configuration again."""
