"""The node's reports about itself: `info` and `health`."""

from __future__ import annotations

import time
from collections.abc import Mapping

from edge.drift.drift_report import DriftReport
from edge.learning.learning import Learning
from edge.mqtt.encoding import encode
from edge.mqtt.payloads import SCHEMA_VERSION, HealthPayload, InfoPayload, ReloadHealth
from edge.mqtt.publisher import Publisher
from edge.mqtt.timestamp import timestamp
from edge.mqtt.topics import Topics
from edge.node.drift_report import drift_payload
from edge.node.health import HealthReporter
from edge.node.learning_report import learning_payload
from edge.node.node_report import NodeReport
from edge.node.source_report import source_health, source_info
from edge.node.source_worker import SourceWorker
from edge.version import VERSION

CHANGE_INTERVAL_S = 1.0  # `health` also comes when a source or the broker goes or comes back, but not more often than this
CLOCK_SET_S = 1.0  # less is the work of NTP


class StatusReporter:
    """Publishes `info` when it has changed, and `health` every `interval_s` and when something has changed."""

    def __init__(
        self,
        node: str,
        publisher: Publisher,
        topics: Topics,
        health: HealthReporter,
        interval_s: float,
        learning: Learning | None = None,
    ) -> None:
        self.interval_s = interval_s
        self._node = node
        self._publisher = publisher
        self._topics = topics
        self._health = health
        self._started_s = time.monotonic()
        self._started_wall_s = time.time()
        self._reported_s = self._started_s
        self._told_availabilities: list[tuple[str, str | None]] = []
        self._told_connections = 0
        self._told_info: InfoPayload | None = None
        self._learning = learning
        self._told_drift: dict[str, DriftReport] = {}
        self._learns: set[str] = set()  # sources of which `learning` is retained

    def check(self, workers: Mapping[str, SourceWorker], reload: ReloadHealth | None) -> None:
        """Publish what is due."""
        passed_s = time.monotonic() - self._reported_s
        if passed_s >= self.interval_s or (passed_s >= CHANGE_INTERVAL_S and self._has_news(workers)):
            self.publish(workers, reload)

    def publish(self, workers: Mapping[str, SourceWorker], reload: ReloadHealth | None) -> None:
        """Publish `health` now, and `info` before it if it has changed: a device that came later, or a clock that was set."""
        self._tell_info(workers)
        self._reported_s = time.monotonic()
        self._told_availabilities = _availabilities(workers)
        self._told_connections = self._publisher.link.connections
        self._tell_learning(workers)
        self._tell_drift(workers)
        self._publisher.retain(self._topics.health, encode(self._health_now(workers, reload)))

    def report(self, workers: Mapping[str, SourceWorker], reload: ReloadHealth | None) -> NodeReport:
        """All of it at this moment; nothing is published."""
        tallies = {name: worker.publisher.tally.copy() for name, worker in workers.items()}
        inference = self._health.inference
        return NodeReport(self._info_now(workers), self._health_now(workers, reload), tallies, inference.windows, inference.total_s)

    def _health_now(self, workers: Mapping[str, SourceWorker], reload: ReloadHealth | None) -> HealthPayload:
        sources = {name: source_health(worker) for name, worker in workers.items()}
        return self._health.report(sources, self._publisher.report(), self._publisher.link, reload)

    def _tell_learning(self, workers: Mapping[str, SourceWorker]) -> None:
        if self._learning is None:
            return
        for name in workers:
            payload = learning_payload(self._learning, name, [sound.event for sounds in workers[name].publisher.taught for sound in sounds])
            if payload is not None:
                self._learns.add(name)
                self._publisher.retain(self._topics.learning(name), encode(payload))
            elif name in self._learns:
                self._learns.discard(name)
                self._publisher.retain(self._topics.learning(name), b"")

    def _tell_drift(self, workers: Mapping[str, SourceWorker]) -> None:
        for name, worker in workers.items():
            report = None if worker.drift is None else worker.drift.report
            if report is not None and report is not self._told_drift.get(name):
                self._told_drift[name] = report
                self._publisher.retain(self._topics.drift(name), encode(drift_payload(name, report)))

    def _tell_info(self, workers: Mapping[str, SourceWorker]) -> None:
        info = self._info_now(workers)
        if info != self._told_info:
            self._told_info = info
            self._publisher.retain(self._topics.info, encode(info))

    def _info_now(self, workers: Mapping[str, SourceWorker]) -> InfoPayload:
        started_s = time.time() - (time.monotonic() - self._started_s)
        if abs(started_s - self._started_wall_s) > CLOCK_SET_S:
            self._started_wall_s = started_s
        return InfoPayload(
            schema=SCHEMA_VERSION,
            node=self._node,
            version=VERSION,
            started_at=timestamp(self._started_wall_s),
            sources={name: source_info(worker) for name, worker in workers.items()},
        )

    def _has_news(self, workers: Mapping[str, SourceWorker]) -> bool:
        return _availabilities(workers) != self._told_availabilities or self._publisher.link.connections != self._told_connections


def _availabilities(workers: Mapping[str, SourceWorker]) -> list[tuple[str, str | None]]:
    return [(worker.availability.status, worker.availability.reason) for worker in workers.values()]
