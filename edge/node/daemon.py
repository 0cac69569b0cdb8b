"""The daemon: every source of a node, one worker thread, one broker."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Mapping
from types import FrameType

from edge.errors import AuscultError
from edge.mqtt.encoding import encode, timestamp
from edge.mqtt.payloads import SCHEMA_VERSION, InfoPayload
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.node.health import HealthReporter
from edge.node.source_worker import SourceWorker
from edge.node.systemd_notify import SystemdNotifier
from edge.node.turns import Turns
from edge.version import VERSION

LOG = logging.getLogger("auscult")
IDLE_S = 0.02
CHANGE_INTERVAL_S = 1.0  # `health` also comes when a source or the broker goes or comes back, but not more often than this
CLOCK_SET_S = 1.0  # less is the work of NTP
DELIVERY_TIMEOUT_S = 15.0  # for what is left when all sources have ended
STOP_TIMEOUT_S = 5.0  # for what is left when we are told to stop; systemd waits 90 s
INTERRUPTED = 130


class Daemon:
    """Runs until all sources have ended or a signal comes. Everything but the network happens in the thread that calls `run`."""

    def __init__(
        self,
        node: str,
        workers: Mapping[str, SourceWorker],
        publisher: Publisher,
        topics: Topics,
        health: HealthReporter,
        health_interval_s: float = 60.0,
    ) -> None:
        self._node = node
        self._workers = dict(workers)
        self._publisher = publisher
        self._topics = topics
        self._health = health
        self._health_interval_s = health_interval_s
        self._notifier = SystemdNotifier()
        self._turns = Turns(list(workers))
        self._started_s = time.monotonic()
        self._started_wall_s = time.time()
        self._reported_s = self._started_s
        self._told_availabilities: list[tuple[str, str | None]] = []
        self._told_connections = 0
        self._told_info: InfoPayload | None = None
        self._signal: int | None = None

    def run(self) -> int:
        """Open, connect, listen, stop cleanly.

        Returns
        -------
        The exit code: 0, or 130 after Ctrl-C.

        Raises
        ------
        UserError
            when another daemon uses the outbox, the broker refuses us at the start, there is no such file, a bundle does not fit
            its source, or a file was damaged.
        AuscultError
            when all sources have ended and the broker did not take all events.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            self._publisher.open()
            for worker in self._workers.values():  # first: a mistake in one of them must not make the node flap with every restart
                worker.open()
            self._publisher.start()
            self._announce()
            self._listen()
            self._finish()
            self._report_health()
            self._deliver()
            self._raise_errors()
        finally:
            self._finish()  # an error in one source must not leave the others' topics at `online`
            self._publisher.stop(STOP_TIMEOUT_S)
        LOG.info("stopped")
        return INTERRUPTED if self._signal == signal.SIGINT else 0

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # Only a note: a handler runs between any two steps of the worker, where no lock may be taken.
        self._signal = number
        signal.signal(number, signal.SIG_DFL)  # a second one ends us at once

    def _announce(self) -> None:
        self._tell_info()
        self._report_health()
        what = ", ".join(f"{name} ({worker.source.device})" for name, worker in self._workers.items())
        LOG.info("started: node %s, sources %s, broker %s", self._node, what, self._publisher.endpoint)
        self._notifier.ready(f"listening to {what}")

    def _tell_info(self) -> None:
        """Publish `info` when it says something new: a device that came later, or a clock that was set after the start."""
        started_s = time.time() - (time.monotonic() - self._started_s)
        if abs(started_s - self._started_wall_s) > CLOCK_SET_S:
            self._started_wall_s = started_s
        info = InfoPayload(
            schema=SCHEMA_VERSION,
            node=self._node,
            version=VERSION,
            started_at=timestamp(self._started_wall_s),
            sources={name: worker.info for name, worker in self._workers.items()},
        )
        if info != self._told_info:
            self._told_info = info
            self._publisher.retain(self._topics.info, encode(info))

    def _listen(self) -> None:
        """Let the sources take turns until all have ended or a signal has come."""
        report_at_s = time.monotonic() + self._health_interval_s
        while self._signal is None and not all(worker.finished for worker in self._workers.values()):
            is_busy = self._take_turn()
            self._publisher.check()
            self._notifier.alive()
            if time.monotonic() >= report_at_s:
                report_at_s += self._health_interval_s
                self._report_health()
            elif self._has_news() and time.monotonic() >= self._reported_s + CHANGE_INTERVAL_S:
                self._report_health()
            if not is_busy:
                time.sleep(IDLE_S)

    def _take_turn(self) -> bool:
        """One step of the first source that has something to do; those that can wait come after those that cannot."""
        order = self._turns.order()
        for name in sorted(order, key=lambda name: not self._workers[name].source.live):
            worker = self._workers[name]
            if not worker.source.live and not self._publisher.has_room:
                continue
            begun_s = time.monotonic()
            if worker.step():
                self._turns.spend(name, time.monotonic() - begun_s)
                return True
        return False

    def _has_news(self) -> bool:
        return self._availabilities() != self._told_availabilities or self._publisher.link.connections != self._told_connections

    def _availabilities(self) -> list[tuple[str, str | None]]:
        return [(worker.availability.status, worker.availability.reason) for worker in self._workers.values()]

    def _raise_errors(self) -> None:
        """When all sources have ended, the node ends as the first of those that failed did; each has said so when it happened."""
        errors = [worker.error for worker in self._workers.values() if worker.error is not None]
        if errors and self._signal is None:
            raise errors[0]

    def _finish(self) -> None:
        """End every stream that was begun and is not over yet."""
        self._notifier.stopping()
        for worker in self._workers.values():
            worker.finish()

    def _deliver(self) -> None:
        """After the last source has ended, wait until the broker has everything; a signal ends the wait."""
        deadline_s = time.monotonic() + DELIVERY_TIMEOUT_S
        depth = self._publisher.report().depth
        while self._signal is None and not self._publisher.idle:
            self._publisher.check()
            self._notifier.alive()
            if self._publisher.report().depth < depth:  # a long absence takes a while to tell
                depth = self._publisher.report().depth
                deadline_s = time.monotonic() + DELIVERY_TIMEOUT_S
            if time.monotonic() > deadline_s:
                left = self._publisher.report()
                kept = "; those of events are kept for the next run" if left.durable else ""
                problem = f"the broker was not there for the last messages ({left.depth} of events); start it and run again{kept}"
                raise AuscultError(self._publisher.endpoint, problem)
            time.sleep(IDLE_S)

    def _report_health(self) -> None:
        self._reported_s = time.monotonic()
        self._told_availabilities = self._availabilities()
        link = self._publisher.link
        self._told_connections = link.connections
        self._tell_info()
        sources = {name: worker.health for name, worker in self._workers.items()}
        self._publisher.retain(self._topics.health, encode(self._health.report(sources, self._publisher.report(), link)))
