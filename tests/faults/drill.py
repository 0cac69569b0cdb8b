"""One run: a machine is played, a real daemon listens, a real broker carries, and one thing after another goes wrong."""

from __future__ import annotations

import contextlib
import signal
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from edge import clock
from tests.broker import HOST, Broker
from tests.faults.disk import Disk
from tests.faults.evidence import Evidence
from tests.faults.network import Network
from tests.faults.player import Player
from tests.faults.recorder import Recorder
from tests.faults.scene import Scene
from tests.faults.schedule import Kind, Trouble
from tests.faults.watched import WatchedDaemon
from tests.pulse import MICROPHONE, PulseServer

NODE = "faults"
SOURCE = "machine"
COOLDOWN_S = 1.0
SETTLED_S = 0.3  # a broker is only killed when the recorder has been back for so long
NOTICE_S = 30.0  # how long a disk stays full for the daemon to notice, which it does when it has something to write
LAST_WORDS_S = 180.0  # longer than the longest backoff


class _NotInTimeError(RuntimeError):
    """Waited for something that did not happen."""


@dataclass(slots=True)
class _Task:
    """Something to be done at a time, or as soon after it as it may be."""

    at_s: float
    act: Callable[[], bool]  # False: not yet


class Drill:
    """The site and what happens to it."""

    def __init__(self, scene: Scene, folder: Path, pulse: PulseServer, broker: Broker, say: Callable[[str], None]) -> None:
        """`broker` must be a persistent one; what everybody says is written into `folder`."""
        self._scene = scene
        self._folder = folder
        self._pulse = pulse
        self._broker = broker
        self._say = say
        self._tasks: list[_Task] = []
        self._done: Counter[Kind] = Counter()
        self._is_full = False
        self._shift_s = 0.0

    def run(self, troubles: tuple[Trouble, ...]) -> Evidence:
        """Play the recording to its end, through all troubles, and wait until everything has been told.

        Raises
        ------
        RuntimeError
            when the daemon does not start, or ends by itself.
        """
        with self._site():
            begun_s = clock.now_s()
            self._daemon.start()
            self._wait_for(lambda: self._daemon.is_up, 60.0, "the daemon does not start")
            self._player.start()
            assert self._player.zero_s is not None
            zero_s = self._player.zero_s
            self._tasks = [_Task(zero_s + trouble.at_s, self._starter(trouble)) for trouble in troubles]
            while self._tasks or clock.now_s() < zero_s + self._scene.seconds:
                self._step()
            with contextlib.suppress(_NotInTimeError):  # then the verdict says what is missing
                self._wait_for(self._is_told, LAST_WORDS_S, "not every event of the log has arrived")
            self._player.silent.append((zero_s + self._scene.seconds, clock.now_s()))
            code = self._daemon.stop()
            time.sleep(1.0)  # for the recorder to write down the last words
            return Evidence(
                self._scene,
                zero_s,
                tuple(self._player.silent),
                tuple(self._daemon.lives),
                tuple(self._recorder.events()),
                sum(arrival.topic == f"{SOURCE}/score" for arrival in self._recorder.arrivals),
                self._recorder.sessions_lost,
                self._done,
                self._disk.description,
                code,
                clock.now_s() - begun_s,
            )

    @contextlib.contextmanager
    def _site(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            self._disk = Disk(self._folder / "disk")
            stack.callback(self._disk.close)
            self._wall = self._folder / "wall"
            self._wall.write_bytes(struct.pack("d", 0.0))
            self._network = Network(self._broker.port)
            stack.callback(self._network.close)
            log = stack.enter_context((self._folder / "daemon.log").open("w"))
            self._daemon = WatchedDaemon(self._write_config(), self._wall, log)
            stack.callback(self._daemon.close)
            self._recorder = Recorder(self._broker.port, NODE, stack.enter_context((self._folder / "received.log").open("w")))
            stack.callback(self._recorder.close)
            self._broker.signal(signal.SIGUSR1)  # Mosquitto saves the session at once
            self._pulse.remove_sink("spare")  # streams of the other sink would move to it
            self._player = Player(self._pulse, self._scene.recording)
            stack.callback(self._player.close)
            yield

    def _write_config(self) -> Path:
        config = {
            "node": NODE,
            "mqtt": {"host": HOST, "port": self._network.port, "keepalive_s": 5},
            "sources": {SOURCE: {"bundle": str(self._scene.bundle), "microphone": {"device": MICROPHONE, "rate_hz": 32000}}},
            "events": {"cooldown_s": COOLDOWN_S, "update_interval_s": 2.0},
            "outbox": {"path": str(self._disk.folder / "outbox.sqlite")},
            "health": {"interval_s": 2.0},
        }
        path = self._folder / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    def _step(self) -> None:
        self._daemon.check()
        self._player.check()
        for task in [task for task in self._tasks if task.at_s <= clock.now_s()]:
            if task.act():
                self._tasks.remove(task)
        time.sleep(0.02)

    def _wait_for(self, is_so: Callable[[], object], timeout_s: float, problem: str) -> None:
        deadline_s = clock.now_s() + timeout_s
        while not is_so():
            self._daemon.check()
            if clock.now_s() > deadline_s:
                raise _NotInTimeError(f"{problem} within {timeout_s:.0f} s")
            time.sleep(0.05)

    def _is_told(self) -> bool:
        """Everything that the log says has arrived, and the daemon is connected."""
        logged = {line.split("event ")[1].split()[0] for life in self._daemon.lives for line in list(life.lines) if " opened from " in line}
        heard_s = self._recorder.heard_s("/level")  # not retained, so never of an earlier connection
        is_heard = heard_s is not None and time.monotonic() - heard_s < 1.5
        return self._daemon.is_up and is_heard and logged <= self._recorder.opened()

    def _starter(self, trouble: Trouble) -> Callable[[], bool]:
        begin, repair = {
            "broker killed": (self._kill_broker, self._start_broker),
            "daemon killed": (self._pounce_on_daemon if trouble.pounces else self._kill_daemon, self._start_daemon),
            "network cut": (self._cut, lambda: self._heal(trouble.forgetful)),
            "sink removed": (self._remove_sink, self._restore_sink),
            "disk full": (self._fill_disk, self._free_disk),
            "clock set": (lambda: self._set_clock(trouble.shift_s), lambda: True),
        }[trouble.kind]

        def act() -> bool:
            if not begin():
                return False
            self._done[trouble.kind] += 1
            detail = f" by {trouble.shift_s:+.0f} s" if trouble.kind == "clock set" else f" for {trouble.lasts_s:.1f} s"
            self._say(f"{clock.now_s() - (self._player.zero_s or 0.0):6.1f} s  {trouble.kind}{detail}")
            self._tasks.append(_Task(clock.now_s() + trouble.lasts_s, repair))
            return True

        return act

    def _kill_broker(self) -> bool:
        # A broker that acknowledges, and is killed before the recorder is back, loses by its own design what it had not saved yet.
        since_s = self._recorder.connected_at_s
        if since_s is None or time.monotonic() - since_s < SETTLED_S:
            return False
        self._broker.kill()
        return True

    def _start_broker(self) -> bool:
        self._broker.start()
        return True

    @property
    def _may_kill_daemon(self) -> bool:
        # What is published while the disk fails is in memory only, which the daemon says; the marks that it leaves have tests of their own.
        return not self._is_full and self._daemon.is_up and self._daemon.life.is_durable

    def _kill_daemon(self) -> bool:
        if not self._may_kill_daemon:
            return False
        self._daemon.kill()
        return True

    def _pounce_on_daemon(self) -> bool:
        if clock.now_s() > (self._player.zero_s or 0.0) + self._scene.seconds:  # nothing will be opened any more
            return self._kill_daemon()
        if self._may_kill_daemon or self._daemon.has_pounced:
            return self._daemon.pounce(" opened from ")
        self._daemon.spare()
        return False

    def _start_daemon(self) -> bool:
        self._daemon.start()
        return True

    def _cut(self) -> bool:
        self._network.cut()
        return True

    def _heal(self, forgetful: bool) -> bool:
        self._network.heal(forgetful=forgetful)
        return True

    def _remove_sink(self) -> bool:
        self._player.remove_sink()
        return True

    def _restore_sink(self) -> bool:
        self._player.restore_sink()
        return True

    def _fill_disk(self) -> bool:
        self._daemon.spare()
        if not self._daemon.is_up or self._daemon.has_pounced:
            return False
        self._disk.fill(self._daemon.pid)
        self._is_full = True
        self._full_since_s = clock.now_s()
        return True

    def _free_disk(self) -> bool:
        if self._daemon.life.is_durable and clock.now_s() < self._full_since_s + NOTICE_S:
            return False
        self._disk.free(self._daemon.pid)
        self._is_full = False
        return True

    def _set_clock(self, shift_s: float) -> bool:
        self._shift_s += shift_s
        with self._wall.open("r+b") as file:  # in place: the daemon has it mapped
            file.write(struct.pack("d", self._shift_s))
        return True
