"""Whether the daemon makes progress: systemd's watchdog is fed only while it does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from edge.node.systemd_notify import SystemdNotifier

if TYPE_CHECKING:
    from edge.mqtt.publisher import Publisher
    from edge.node.source_worker import SourceWorker

LOG = logging.getLogger("auscult")
LOOK_EVERY_S = 1.0
# How long a part may stand still. Much longer than anything takes on a slow board, and with systemd's WatchdogSec=60 on top of it.
ROUND_S = 30.0  # one turn of a source: reading a block, and listening to it
SILENT_S = 30.0  # an open live source without a block; it is reopened after 10 s if it says so itself
UNSCORED_S = 30.0  # plausible sound, beyond a window's length, of which no window came
PUBLISHING_S = 120.0  # a round of the network thread: name look-up, TCP and TLS may each take their own timeouts


class Progress:
    """Looks at capture, inference and publishing from a thread of its own, because the daemon's own may be what hangs."""

    def __init__(self, publisher: Publisher, notifier: SystemdNotifier, clock: Callable[[], float] = time.monotonic) -> None:
        self.workers: Mapping[str, SourceWorker] = {}  # replaced as a whole
        self._publisher = publisher
        self._notifier = notifier
        self._clock = clock
        self._round_at_s = clock()
        self._turn: str | None = None  # whose it is
        self._told: str | None = None  # which of the three stands still
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self, workers: Mapping[str, SourceWorker]) -> None:
        """Look every second from now on."""
        self.workers = workers
        self.round()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def round(self, turn: str | None = None) -> None:
        """The daemon goes round its loop, and it is this source's turn."""
        self._round_at_s = self._clock()
        self._turn = turn

    def look(self) -> None:
        """Feed the watchdog, or log once what makes no progress."""
        stall = self.stall()
        if stall is None:
            if self._told is not None:
                LOG.warning("%s continues", self._told)
            self._told = None
            self._notifier.alive()
            return
        part, what = stall
        if part != self._told:
            LOG.error("%s makes no progress: %s; systemd's watchdog is no longer fed", part, what)
        self._told = part

    def stall(self) -> tuple[str, str] | None:
        """Which of capture, inference and publishing makes no progress, and how that shows; None if all do."""
        stuck_s = self._clock() - self._round_at_s
        workers, turn = self.workers, self._turn
        if stuck_s > ROUND_S:
            worker = workers.get(turn or "")
            if worker is None:
                return "inference", f"the daemon has not finished a round of its loop for {stuck_s:.0f} s"
            listening = worker.listening
            if listening is not None and listening.is_working:
                return "inference", f"the listener of {turn} has been at work for {stuck_s:.0f} s"
            return "capture", f"{turn}: reading {worker.source.device} has not returned for {stuck_s:.0f} s"
        for name, worker in workers.items():
            if worker.silent_s > SILENT_S:
                return "capture", f"{name}: {worker.source.device} is open and has given no sound for {worker.silent_s:.0f} s"
            listening = worker.listening  # which the worker's thread may take away meanwhile
            unscored_s = 0.0 if worker.finished or listening is None else listening.unscored_s
            if unscored_s > UNSCORED_S:
                return "inference", f"{name}: no window came out of the last {unscored_s:.0f} s of sound, beyond a window's length"
        silent_s = self._publisher.silent_s
        if silent_s > PUBLISHING_S:
            how = "is dead" if silent_s == float("inf") else f"has not finished a round of its loop for {silent_s:.0f} s"
            return "publishing", f"the thread of the network or of the outbox {how}"
        return None

    def _run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.look()
