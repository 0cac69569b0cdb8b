"""Puts the parts of a node together, at the start of the daemon and for every reload of its configuration."""

from __future__ import annotations

from pathlib import Path

from edge.clips.clip_folder import ClipFolder
from edge.clips.clip_writer import ClipWriter
from edge.clips.source_clips import SourceClips
from edge.config.make_source import make_source
from edge.config.schema import Config
from edge.drift.drifts import Drifts
from edge.learning.learning import Learning
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.node.daemon import Daemon
from edge.node.discovery_like import DiscoveryLike
from edge.node.health import HealthReporter, InferenceTimes
from edge.node.known_sources import KnownSources
from edge.node.listener_like import ListenerLike
from edge.node.plan import Plan
from edge.node.reload import Reloader
from edge.node.source_publisher import SourcePublisher
from edge.node.source_worker import MakeListener, SourceWorker
from edge.outbox.outbox import Outbox
from edge.pipeline import Listener
from edge.remote.remote import Remote, tell_unused


class Assembly:
    """What all sources of a node share, and how the rest is made from a plan. Nothing is opened or connected here."""

    def __init__(self, plan: Plan) -> None:
        config = plan.config
        self.plan = plan
        self.topics = Topics(config.node, config.mqtt.base_topic)
        self.outbox = Outbox(
            config.outbox_path,
            capacity_bytes=round(config.outbox.capacity_mb * 1e6),
            keep_s=config.outbox.keep_days * 86_400.0,
        )
        self.clip_writer = ClipWriter(ClipFolder.of(config)) if config.clips.enabled else None
        self.remote: Remote | None = None
        if config.commands.enabled:
            self.remote = Remote(config.commands, config.state_folder, self.topics, self.clip_writer)
        else:
            tell_unused(config.state_folder)
        self.discovery = _discovery(config, self.topics)
        subscriptions = [] if self.remote is None else [self.remote.subscription]
        self.publisher = Publisher(
            plan.broker,
            self.topics.status,
            outbox=self.outbox,
            replays_per_s=config.outbox.replays_per_s,
            subscriptions=[*subscriptions, *(self.discovery.subscriptions if self.discovery is not None else ())],
        )
        self.inference = InferenceTimes()
        self.drifts = Drifts(config.state_folder) if config.drift.enabled else None
        self.learning = Learning(config.state_folder)
        self._learn(plan)

    def daemon(self, path: Path) -> Daemon:
        """The daemon, which reads `path` again on a reload."""
        config = self.plan.config
        workers = {name: self.worker(name, self.plan) for name in config.sources}
        bundle = next((source.bundle for source in config.sources.values() if source.bundle is not None), None)
        disk = config.outbox_path.absolute().parent if bundle is None else bundle.absolute().parent
        commands = None if self.remote is None else self.remote.health
        clips = None if self.clip_writer is None else self.clip_writer.report
        daemon = Daemon(
            config.node,
            workers,
            self.publisher,
            self.topics,
            HealthReporter(self.inference, disk, commands, clips),
            config.health.interval_s,
            Reloader(path, self),
            KnownSources(config.outbox_path, self.topics),
            self.remote,
            self.clip_writer,
            self.discovery,
            self.learning,
            self.drifts,
        )
        self.learning.reload = daemon.request_reload
        if self.drifts is None:
            for name in workers:
                self.publisher.retain(self.topics.drift(name), b"")  # what was told while it was measured
        if self.remote is not None:
            self.remote.serve(daemon, config.node, path, self.publisher.answer)
        return daemon

    def adopt(self, plan: Plan) -> None:
        """From now on the node does this. TLS files that have changed hold from the next connection on, as a password does."""
        self.plan = plan
        self._learn(plan)
        self.publisher.renew(plan.tls)

    def worker(self, name: str, plan: Plan) -> SourceWorker:
        """The worker of one source of a plan."""
        control = None if self.remote is None else self.remote.control(name)
        clips = None
        if self.clip_writer is not None:
            clips = SourceClips(name, plan.config.clips.before_s, plan.config.clips.after_s, self.clip_writer)
        publisher = SourcePublisher(name, self.publisher, self.topics, control, clips)
        source, learner = make_source(name, plan.config.sources[name]), self.learning.learner(name)
        drift = None if self.drifts is None else self.drifts.of(name)
        return SourceWorker(source, plan.bundle(name), self.make_listener(name, plan), publisher, self.inference, learner, drift)

    def make_listener(self, name: str, plan: Plan) -> MakeListener:
        """What makes a listener for one source of a plan; its events follow the rules of the time at which it is called."""
        model, is_judging = plan.models.get(name), plan.judges(name)

        def make(rate_hz: int) -> ListenerLike:
            if model is None:
                return self.learning.gathering(name, rate_hz)
            moved = None if self.remote is None else self.remote.moved(name, model.bundle.sha256)
            listener = Listener(model, rate_hz, self.plan.events, moved=moved, is_judging=is_judging)
            if self.remote is not None:
                listener.teach(*self.remote.taught(name))
            return listener

        return make

    def _learn(self, plan: Plan) -> None:
        self.learning.adopt(plan.config.sources, plan.bases, {name: model.bundle.sha256 for name, model in plan.models.items()})


def _discovery(config: Config, topics: Topics) -> DiscoveryLike | None:
    """Discovery for Home Assistant; also if an earlier configuration had it enabled, to delete its messages."""
    if not config.homeassistant.enabled and not config.discovery_path.exists():
        return None
    from edge.homeassistant.discovery import Discovery  # only here: most nodes need none of it

    return Discovery(config, topics)
