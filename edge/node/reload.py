"""Read the configuration again while the daemon continues to listen: apply all of it, or nothing."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.config.load import load_config
from edge.config.schema import Config, SourceConfig
from edge.errors import AuscultError
from edge.mqtt.payloads import ReloadHealth, ReloadResult
from edge.mqtt.timestamp import timestamp
from edge.node.parts import Parts
from edge.node.plan import Plan, check_live
from edge.node.shared import in_one_line
from edge.node.source_worker import SourceWorker
from edge.node.standby_listener import StandbyListener

LOG = logging.getLogger("auscult")
OnDone = Callable[[str | None], None]
ABREAST_S = 1.0  # a standby that is less behind is brought abreast between two turns
ROUNDS = 20  # of catching up; a board that is too slow for more leaves the rest to the worker
SLOW_S = 60.0  # a reload that takes longer is reported: a bundle may lie on a network drive that does not answer


class _CancelledError(Exception):
    """The daemon ends."""


@dataclass(slots=True)
class _Change:
    """What is to be done, prepared but for its last step."""

    plan: Plan
    fresh: dict[str, SourceWorker] = field(default_factory=dict)  # sources that are new, or have another input
    prepared: set[str] = field(default_factory=set)  # of these, opened already
    standbys: dict[str, StandbyListener | None] = field(default_factory=dict)  # sources that have another bundle


class Reloader:
    """Reads the configuration again when it is asked to.

    What takes time (loading bundles, opening files, letting new listeners catch up) happens in a thread of its own; `poll` makes the
    change between two turns of the sources.
    """

    def __init__(self, path: Path, parts: Parts) -> None:
        self.last: ReloadHealth | None = None
        self._path = path
        self._parts = parts
        self._waiting: deque[OnDone] = deque()  # for the next one
        self._asked: list[OnDone] = []  # for the one that is under way
        self._thread: threading.Thread | None = None
        self._change: _Change | None = None
        self._problem: str | None = None
        self._cancelled = threading.Event()
        self._slow_at_s = 0.0

    @property
    def plan(self) -> Plan:
        """What the daemon does now."""
        return self._parts.plan

    @property
    def is_busy(self) -> bool:
        """Whether a reload is under way."""
        return self._thread is not None

    def request(self, on_done: OnDone) -> None:
        """Ask for a reload, from any thread or signal handler; see `Daemon.request_reload`."""
        self._waiting.append(on_done)

    def poll(self, workers: Mapping[str, SourceWorker], between: Callable[[], None] = lambda: None) -> dict[str, SourceWorker] | None:
        """Begin what was asked for and finish what is prepared; return the workers from now on when they have changed, or may have.

        `between` is called again and again when that takes long.
        """
        if self._thread is None:
            if self._waiting:
                self._begin(workers)
            return None
        if self._thread.is_alive():
            if time.monotonic() > self._slow_at_s:
                self._tell_slow()
            return None
        self._thread = None
        changed = None
        if self._problem is not None or self._change is None:
            self._undo(workers)
            LOG.error("not reloaded, the old configuration stays: %s", self._problem)
        elif not all(_follows(workers[name], standby) for name, standby in self._change.standbys.items()):
            self._undo(workers)
            self._begin(workers)
            return None
        else:
            changed = self._apply(self._change, workers, between)
        self._tell()
        return changed

    def cancel(self) -> None:
        """The daemon ends: what is under way will not happen, and its thread comes to its end soon. Nobody waits for that here."""
        self._cancelled.set()
        asked = [*self._asked, *self._waiting]
        self._asked.clear()
        self._waiting.clear()
        for on_done in asked:
            on_done("the daemon is stopping")

    def _begin(self, workers: Mapping[str, SourceWorker]) -> None:
        while self._waiting:  # which others may add to meanwhile
            self._asked.append(self._waiting.popleft())
        self._change = self._problem = None
        self._slow_at_s = time.monotonic() + SLOW_S
        self._thread = threading.Thread(target=self._prepare, args=(dict(workers),), name="reload", daemon=True)
        self._thread.start()

    def _prepare(self, workers: Mapping[str, SourceWorker]) -> None:
        try:
            config = load_config(self._path)
            check_live(self.plan.config, config, self._path)
            self._change = _Change(Plan.of(config, self.plan))
            self._prepare_sources(self._change, workers)
        except _CancelledError:
            self._close_prepared()
        except AuscultError as error:
            self._problem = str(error)
        except Exception as error:  # of whatever kind: the daemon continues as before
            self._problem = f"{self._path}: unexpected {in_one_line(error)}"

    def _prepare_sources(self, change: _Change, workers: Mapping[str, SourceWorker]) -> None:
        plan, before = change.plan, self.plan
        for name, source in plan.config.sources.items():
            self._check_cancelled()
            if name not in workers or _input(source) != _input(before.config.sources[name]):
                worker = change.fresh[name] = self._parts.worker(name, plan)
                device = source.microphone or source.url  # what may be away is opened later, and is no error
                if device is None:
                    change.prepared.add(name)
                    worker.prepare()
                elif device.rate_hz is not None and name in plan.models:
                    plan.models[name].check_rate(device.rate_hz, worker.source.device)
            elif plan.models.get(name) is not before.models.get(name) or plan.judges(name) != before.judges(name):
                workers[name].is_held = not workers[name].source.live
                change.standbys[name] = self._standby(name, plan, workers[name])
        standbys = [standby for standby in change.standbys.values() if standby is not None]
        for _ in range(ROUNDS):
            if all(standby.behind_s < ABREAST_S for standby in standbys):
                break
            for standby in standbys:
                standby.catch_up()

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError

    def _standby(self, name: str, plan: Plan, worker: SourceWorker) -> StandbyListener | None:
        listening = worker.listening  # which an error may take away meanwhile
        if listening is None:
            return None
        listener = self._parts.make_listener(name, plan)(worker.rate_hz)
        return StandbyListener(listener, plan.bundle(name), worker.rate_hz, listening.recent, self._check_cancelled)

    def _apply(self, change: _Change, workers: Mapping[str, SourceWorker], between: Callable[[], None]) -> dict[str, SourceWorker]:
        """Between two turns: nothing here fails, or takes long but on a board that is too slow for two listeners."""
        self._parts.adopt(change.plan)
        config = change.plan.config
        kept = {name: worker for name, worker in workers.items() if name in config.sources and name not in change.fresh}
        for name, worker in workers.items():
            if name not in kept:
                worker.finish("its input has changed" if name in config.sources else "no longer in the configuration")
        for name, standby in change.standbys.items():
            if standby is not None:
                standby.between = between
            kept[name].change_bundle(change.plan.bundle(name), self._parts.make_listener(name, change.plan), standby)
        for worker in kept.values():
            if worker.listening is not None:
                worker.listening.set_events(change.plan.events)
        for name, worker in change.fresh.items():
            worker.begin(opening=name not in change.prepared)
        logging.getLogger().setLevel(config.log.level.upper())
        LOG.info("%s: reloaded%s", self._path, _told(change, workers, config))
        return {name: change.fresh.get(name) or kept[name] for name in config.sources}

    def _undo(self, workers: Mapping[str, SourceWorker]) -> None:
        for worker in workers.values():
            worker.is_held = False
        self._close_prepared()

    def _close_prepared(self) -> None:
        if self._change is not None:
            for name in self._change.prepared:
                self._change.fresh[name].discard()

    def _tell_slow(self) -> None:
        """Once: a reload cannot be broken off, and nothing else would say why no answer comes."""
        self._slow_at_s = math.inf
        problem = f"not finished after {SLOW_S:.0f} s; are the bundles and files that it names on a drive that does not answer?"
        LOG.warning("%s: the reload is %s The old configuration stays in use", self._path, problem)
        self.last = ReloadHealth(at=timestamp(time.time()), result="running", problem=f"{self._path}: {problem}")

    def _tell(self) -> None:
        result: ReloadResult = "applied" if self._problem is None else "refused"
        self.last = ReloadHealth(at=timestamp(time.time()), result=result, problem=self._problem)
        asked, self._asked = self._asked, []
        self._change = None
        for on_done in asked:
            on_done(self._problem)


def _input(source: SourceConfig) -> tuple[object, ...]:
    return source.microphone, source.files, source.stdin, source.url


def _follows(worker: SourceWorker, standby: StandbyListener | None) -> bool:
    """Whether a standby still belongs to the stream: a device that came meanwhile, or has another rate now, has begun a new one."""
    return (worker.listening and worker.listening.recent) is (standby and standby.recent)


def _told(change: _Change, workers: Mapping[str, SourceWorker], config: Config) -> str:
    bundles = {name: change.plan.bundle(name) for name in change.standbys}
    what = [f"; {name}: {'listening without one' if bundle is None else f'bundle {bundle.path}'}" for name, bundle in bundles.items()]
    what += [f"; {name}: {'another input' if name in workers else 'new'}" for name in change.fresh]
    what += [f"; {name}: removed" for name in workers if name not in config.sources]
    return "".join(what)
