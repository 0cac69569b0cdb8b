"""The daemon: every source of a node, one worker thread, one broker."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import FrameType

from edge.clips.clip_writer import ClipWriter
from edge.drift.drifts import Drifts
from edge.errors import AuscultError, UserError
from edge.learning.learning import Learning
from edge.mqtt.payloads import ReloadHealth, SourceInfo
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.node.discovery_like import DiscoveryLike
from edge.node.health import HealthReporter
from edge.node.known_sources import KnownSources
from edge.node.node_report import NodeReport, ReportDesk
from edge.node.progress import Progress
from edge.node.reload import Reloader
from edge.node.shared import SharedError
from edge.node.source_publisher import clear_retained
from edge.node.source_report import source_info
from edge.node.source_worker import SourceWorker
from edge.node.status_reporter import StatusReporter
from edge.node.systemd_notify import SystemdNotifier
from edge.node.terminal import has_terminal
from edge.node.turns import Turns
from edge.remote.remote import Remote

LOG = logging.getLogger("auscult")
IDLE_S = 0.02
DELIVERY_TIMEOUT_S = 15.0  # for what is left when all sources have ended
STOP_TIMEOUT_S = 5.0  # for the rest of the work on SIGTERM; systemd waits 90 s
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
        reloader: Reloader | None = None,
        known_sources: KnownSources | None = None,
        remote: Remote | None = None,
        clip_writer: ClipWriter | None = None,
        discovery: DiscoveryLike | None = None,
        learning: Learning | None = None,
        drifts: Drifts | None = None,
    ) -> None:
        self._node = node
        self._workers = dict(workers)
        self._publisher = publisher
        self._topics = topics
        self._reloader = reloader
        self._known_sources = known_sources
        self._remote = remote
        self._clip_writer = clip_writer
        self._discovery = discovery
        self._learning = learning
        self._drifts = drifts
        self._notifier = SystemdNotifier()
        self._status = StatusReporter(node, publisher, topics, health, health_interval_s, learning)
        self._progress = Progress(publisher, self._notifier)
        self._turns = Turns(list(workers))
        self._desk = ReportDesk()
        self._had_terminal = has_terminal()
        self._signal: int | None = None
        self._failure: Exception | None = None  # of what all sources share, when one of them was ended

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
        if self._reloader is not None:
            signal.signal(signal.SIGHUP, self._on_hangup)
        with ExitStack() as closing:  # in reverse order, each whatever befalls the others
            closing.callback(self._publisher.stop, STOP_TIMEOUT_S)
            closing.callback(self._desk.close)
            if self._clip_writer is not None:
                closing.callback(self._clip_writer.close)
                self._clip_writer.start()
            if self._remote is not None:
                closing.callback(self._remote.close)
            if self._learning is not None:
                closing.callback(self._learning.close)
            if self._drifts is not None:
                closing.callback(self._drifts.close)
            closing.callback(self._progress.stop)
            closing.callback(self._finish)  # an error in one source must not leave the others' topics at `online`
            self._publisher.open()
            self._tell_sources()
            for worker in self._workers.values():  # first: a mistake in one of them must not make the node flap with every restart
                worker.open()
            self._publisher.start()
            self._announce()
            self._progress.start(self._workers)
            self._listen()
            self._finish()
            self._report()
            self._deliver()
            self._raise_errors()
        LOG.info("stopped")
        return INTERRUPTED if self._signal == signal.SIGINT else 0

    @property
    def workers(self) -> Mapping[str, SourceWorker]:
        """The sources by name."""
        return self._workers

    def source_infos(self) -> dict[str, SourceInfo]:
        """The part of `info` about each source."""
        return {name: source_info(worker) for name, worker in self._workers.items()}

    def report(self, wait_s: float) -> NodeReport:
        """All that the node knows of itself, at most a second old; for other threads.

        Raises
        ------
        TimeoutError
            when the daemon has not answered for `wait_s`.
        """
        return self._desk.ask(wait_s)

    @property
    def is_reloading(self) -> bool:
        """Whether the configuration is being read again."""
        return self._reloader is not None and self._reloader.is_busy

    def roll_back(self, source: str, on_done: Callable[[int | None, str | None], None]) -> None:
        """Go back to the learned bundle of a source before the one in force.

        `on_done` is called in the daemon's thread, with the version that is chosen (None for the bundle of the configuration) or a problem.
        """
        if self._learning is None:
            on_done(None, f"{source} does not learn")
        else:
            self._learning.roll_back(source, on_done)

    def accept(self, source: str) -> str | None:
        """What a source alarms at without an end is its new normal; why that cannot be said, in one line, or None."""
        return f"{source} does not learn" if self._learning is None else self._learning.accept(source)

    def request_reload(self, on_done: Callable[[str | None], None] = lambda _problem: None) -> None:
        """Ask for what SIGHUP asks for: read the configuration again, and take all of it over, or nothing. Returns at once.

        From any thread, and as often as you like: who asks while a reload is under way gets one that begins after it. `on_done` is
        called in the daemon's thread when it is over, and must not wait: with None when the new configuration holds, else with one line
        that says why not. It is also called, with such a line, when the daemon ends before.
        """
        if self._reloader is None:
            on_done("this daemon was made without a configuration file; restart it")
        else:
            self._reloader.request(on_done)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # Only a note: a handler runs between any two steps of the worker, where no lock may be taken.
        self._signal = number
        signal.signal(number, signal.SIG_DFL)  # a second one ends us at once

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        """Reload; but a daemon whose terminal was closed ends, as programs do."""
        if self._had_terminal and not has_terminal():
            self._on_signal(number, frame)
        else:
            self.request_reload()

    def _announce(self) -> None:
        self._report()
        what = self._devices()
        LOG.info("started: node %s, sources %s, broker %s", self._node, what, self._publisher.endpoint)
        self._notifier.ready(f"listening to {what}")

    def _devices(self) -> str:
        return ", ".join(f"{name} ({worker.source.device})" for name, worker in self._workers.items())

    def _report(self) -> None:
        self._status.publish(self._workers, self._last_reload)

    @property
    def _last_reload(self) -> ReloadHealth | None:
        return self._reloader.last if self._reloader is not None else None

    def _listen(self) -> None:
        """Let the sources take turns until all have ended or a signal has come."""
        while self._signal is None and not all(worker.finished for worker in self._workers.values()):
            self._progress.round()
            is_busy = self._take_turn()
            self._publisher.check()
            self._reload()
            if self._remote is not None and self._remote.poll():
                self._report()  # it contains what the command has changed
            if self._learning is not None:
                self._learning.poll()
            if self._drifts is not None:
                self._drifts.poll()
            self._status.check(self._workers, self._last_reload)
            if self._discovery is not None:
                self._discovery.check(self._publisher)
            self._answer()
            if not is_busy:
                time.sleep(IDLE_S)

    def _answer(self) -> None:
        """Make a report for another thread that waits for one."""
        self._desk.poll(lambda: self._status.report(self._workers, self._last_reload))

    def _reload(self) -> None:
        """One look at what a reload needs: usually nothing."""
        reloader = self._reloader
        if reloader is None:
            return
        was_busy, told = reloader.is_busy, reloader.last
        changed = reloader.poll(self._workers, self._progress.round)
        if changed is not None:
            self._workers = changed
            self._turns.set_names(list(changed))
            self._progress.workers = changed
            self._status.interval_s = reloader.plan.config.health.interval_s
            self._tell_sources()
        if reloader.last is not told:
            self._report()
        if reloader.is_busy and not was_busy:
            self._notifier.reloading()
        elif was_busy and not reloader.is_busy:
            self._notifier.ready(f"listening to {self._devices()}")

    def _tell_sources(self) -> None:
        """Delete the retained messages of sources that no longer exist, and publish discovery for Home Assistant."""
        gone = [] if self._known_sources is None else self._known_sources.gone(self._workers)
        for name in gone:
            clear_retained(self._publisher, self._topics, name)
        if self._discovery is not None:
            self._discovery.publish(self._publisher, list(self._workers), gone)

    def _take_turn(self) -> bool:
        """One step of the first source that has something to do; those that can wait come after those that cannot."""
        order = self._turns.order()
        for name in sorted(order, key=lambda name: not self._workers[name].source.live):
            worker = self._workers[name]
            if not worker.source.live and not self._publisher.has_room:
                continue
            begun_s = time.monotonic()
            self._progress.round(name)
            if worker.step():
                self._turns.spend(name, time.monotonic() - begun_s)
                return True
        return False

    def _raise_errors(self) -> None:
        """When all sources have ended, the node ends as the first of those that failed did; each has said so when it happened."""
        errors = [self._failure, *(worker.error for worker in self._workers.values())]
        for error in errors:
            # On a request to stop, errors that a user can correct are known already.
            if error is not None and not (isinstance(error, UserError) and self._signal is not None):
                raise error

    def _finish(self) -> None:
        """End every stream that was begun and is not over yet."""
        self._notifier.stopping()
        if self._reloader is not None:
            self._reloader.cancel()
        for name, worker in self._workers.items():
            try:
                worker.finish()
            except SharedError as error:  # the others are to say goodbye too
                LOG.exception("%s: could not be closed cleanly", name)
                self._failure = error

    def _deliver(self) -> None:
        """After the last source has ended, wait until the broker has everything; a signal ends the wait."""
        deadline_s = time.monotonic() + DELIVERY_TIMEOUT_S
        depth = self._publisher.report().depth
        while self._signal is None and not self._publisher.idle:
            self._publisher.check()
            self._progress.round()
            self._answer()
            if self._publisher.report().depth < depth:  # the messages of a long absence take a while to send
                depth = self._publisher.report().depth
                deadline_s = time.monotonic() + DELIVERY_TIMEOUT_S
            if time.monotonic() > deadline_s:
                left = self._publisher.report()
                kept = "; those of events are kept for the next run" if left.durable else ""
                problem = f"the broker was not there for the last messages ({left.depth} of events); start it and run again{kept}"
                raise AuscultError(self._publisher.endpoint, problem)
            time.sleep(IDLE_S)
