"""Commands over MQTT for a whole node: subscription, stored state and execution."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from edge.clips.clip_writer import ClipWriter
from edge.config.schema import CommandsConfig
from edge.judgement.threshold import Moved
from edge.mqtt.payloads import CommandsHealth
from edge.mqtt.subscription import Subscription
from edge.mqtt.topics import Topics
from edge.remote.adjustments import Adjustments
from edge.remote.background_writer import BackgroundWriter
from edge.remote.commands import Commands
from edge.remote.event_memory import EventMemory
from edge.remote.event_sounds import FOLDER, EventSounds
from edge.remote.inbox import Inbox
from edge.remote.node_like import NodeLike
from edge.remote.snoozes import Snoozes
from edge.remote.source_control import SourceControl, Taught, taught
from edge.remote.verbs import Verbs
from edge.remote.watches import Watches

LOG = logging.getLogger("auscult.remote")


class Remote:
    """Made when commands are allowed; without it nothing is subscribed, kept or applied.

    What is kept lies in the state folder: snoozes.json, thresholds.json, events.jsonl, marks.jsonl, scores/ and sounds/.
    """

    def __init__(self, config: CommandsConfig, folder: Path, topics: Topics, clip_writer: ClipWriter | None) -> None:
        self._config = config
        self._folder = folder
        self._topics = topics
        self._clip_writer = clip_writer
        self._writer = BackgroundWriter()
        self._snoozes = Snoozes(folder / "snoozes.json", write=self._writer.write)
        self._watches = Watches()
        self._events = EventMemory(folder, self._writer.write)
        self._sounds: dict[str, EventSounds] = {}  # by source
        self._adjustments = Adjustments(folder / "thresholds.json", self._writer.write)
        self._inbox = Inbox()
        self._commands: Commands | None = None
        self.subscription = Subscription(topics.commands, self._inbox.put)

    def control(self, source: str) -> SourceControl:
        """What a source needs."""
        parts = self._snoozes, self._watches, self._events, self._adjustments
        return SourceControl(source, self._folder, *parts, self._writer.write, self._sounds_of(source))

    def moved(self, source: str, bundle_sha256: str) -> Moved | None:
        """How the threshold of a source with a bundle was moved; None for not at all."""
        return self._adjustments.moved(source, bundle_sha256)

    def taught(self, source: str) -> Taught:
        """What the marks on a source's events teach."""
        return taught(source, self._events, self._sounds_of(source))

    def _sounds_of(self, source: str) -> EventSounds:
        if source not in self._sounds:
            self._sounds[source] = EventSounds(self._folder / FOLDER / source, self._writer.write)
        return self._sounds[source]

    def serve(self, node: NodeLike, name: str, config_path: Path, answer: Callable[[str, bytes], None]) -> None:
        """Commands are for this node from now on; `answer(topic, payload)` publishes."""
        verbs = Verbs(node, name, config_path, self._snoozes, self._watches, self._events, self._adjustments, self._clip_writer)
        self._commands = Commands(self._inbox, self._topics, answer, verbs.handlers(), self._config.allow)

    def poll(self) -> bool:
        """Carry out one command, in the worker's thread; False when none waits, or the one before it is not on disk and answered yet."""
        self._writer.poll()
        return self._commands is not None and not self._writer.is_busy and self._commands.poll()

    def close(self) -> None:
        """Write what is not on disk yet, and answer what can be answered; not for long."""
        self._writer.close()

    def health(self) -> CommandsHealth:
        """The part of `health` about commands."""
        commands, subscription = self._commands, self.subscription
        return CommandsHealth(
            state=subscription.state,
            reason=subscription.reason,
            taken=0 if commands is None else commands.taken,
            refused=0 if commands is None else commands.refused,
            dropped=self._inbox.dropped,
        )


def tell_unused(folder: Path) -> None:
    """Say once, at the start of a node that takes no commands, that thresholds which were moved are the bundles' own again."""
    path = folder / "thresholds.json"
    if Adjustments(path).sources:
        LOG.warning("%s: not applied, because commands are off (commands.enabled): each threshold is the bundle's own", path)
