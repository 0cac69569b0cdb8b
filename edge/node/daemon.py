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
from edge.version import VERSION

LOG = logging.getLogger("auscult")
IDLE_S = 0.02
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
        self._signal: int | None = None

    def run(self) -> int:
        """Open, connect, listen, stop cleanly.

        Returns
        -------
        The exit code: 0, or 130 after Ctrl-C.

        Raises
        ------
        UserError
            when the broker refuses us at the start, or a source cannot be opened.
        AuscultError
            when all sources have ended and the broker did not take all events.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            for worker in self._workers.values():  # first: a microphone that is not there must not make the node flap with every restart
                worker.open()
            self._publisher.start()
            self._announce()
            self._listen()
            self._finish()
            self._report_health()
            self._deliver()
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
        info = InfoPayload(
            schema=SCHEMA_VERSION,
            node=self._node,
            version=VERSION,
            started_at=timestamp(time.time()),
            sources={name: worker.info for name, worker in self._workers.items()},
        )
        self._publisher.retain(self._topics.info, encode(info))
        self._report_health()
        what = ", ".join(f"{name} ({worker.source.device})" for name, worker in self._workers.items())
        LOG.info("started: node %s, sources %s, broker %s", self._node, what, self._publisher.endpoint)
        self._notifier.ready(f"listening to {what}")

    def _listen(self) -> None:
        """Round-robin over the sources until all have ended or a signal has come."""
        report_at_s = time.monotonic() + self._health_interval_s
        while self._signal is None and not all(worker.finished for worker in self._workers.values()):
            is_busy = False
            for worker in self._workers.values():
                if worker.source.live or self._publisher.has_room:
                    is_busy = worker.step() or is_busy
            self._publisher.check()
            self._notifier.alive()
            if time.monotonic() >= report_at_s:
                report_at_s += self._health_interval_s
                self._report_health()
            if not is_busy:
                time.sleep(IDLE_S)

    def _finish(self) -> None:
        """End every stream that was begun and is not over yet."""
        self._notifier.stopping()
        for worker in self._workers.values():
            worker.finish()

    def _deliver(self) -> None:
        """After the last source has ended, wait until the broker has everything; a signal ends the wait."""
        deadline_s = time.monotonic() + DELIVERY_TIMEOUT_S
        while self._signal is None and not self._publisher.idle:
            self._publisher.check()
            self._notifier.alive()
            if time.monotonic() > deadline_s:
                left = self._publisher.report().depth
                raise AuscultError(
                    self._publisher.endpoint, f"the broker was not there for the last messages ({left} of events); start it and run again"
                )
            time.sleep(IDLE_S)

    def _report_health(self) -> None:
        sources = {name: worker.health for name, worker in self._workers.items()}
        self._publisher.retain(self._topics.health, encode(self._health.report(sources, self._publisher.report())))
