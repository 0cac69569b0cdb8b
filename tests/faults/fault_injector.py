"""How each kind of trouble is made, and how it is repaired."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.faults.plant import Plant
from tests.faults.player import Player
from tests.faults.schedule import Kind, Trouble

SETTLED_S = 0.3  # of real time: after it a broker has handed on and saved what came
NOTICE_S = 30.0  # how long a disk stays full for the daemon to notice, which it does when it has something to write


class FaultInjector:
    """Does things to a plant. What cannot be done at the moment returns False, and is asked for again."""

    def __init__(self, plant: Plant, seconds: float) -> None:
        """The tracks are so many seconds long."""
        self._plant = plant
        self._seconds = seconds
        self._disk_fails = False
        self._full_since_s = 0.0
        self._stopped = False  # the daemon's process

    def begin(self, trouble: Trouble) -> bool:
        """Make it."""
        makers: dict[Kind, Callable[[], object]] = {
            "broker killed": self._kill_broker,
            "daemon killed": self._pounce_on_daemon if trouble.pounces else self._kill_daemon,
            "network cut": self._plant.network.cut,
            "sink removed": lambda: self._player(trouble).remove_sink(),
            "disk full": self._fill_disk,
            "disk read-only": self._write_protect_disk,
            "disk slow": lambda: self._plant.controls.set("disk_delay_s", trouble.delay_s),
            "memory short": lambda: self._starve(trouble),
            "clock set": lambda: self._shift_clock(trouble.shift_s),
        }
        return makers[trouble.kind]() is not False

    def repair(self, trouble: Trouble) -> bool:
        """Put it right."""
        menders: dict[Kind, Callable[[], object]] = {
            "broker killed": self._plant.broker.start,
            "daemon killed": self._plant.daemon.start,
            "network cut": lambda: self._plant.network.heal(forgetful=trouble.forgetful),
            "sink removed": lambda: self._player(trouble).restore_sink(),
            "disk full": self._free_disk,
            "disk read-only": self._permit_writing,
            "disk slow": lambda: self._plant.controls.set("disk_delay_s", 0.0),
            "memory short": self._go_on,
            "clock set": lambda: None,
        }
        return menders[trouble.kind]() is not False

    def _player(self, trouble: Trouble) -> Player:
        return self._plant.players[trouble.source]

    def _kill_broker(self) -> bool:
        # A broker that acknowledges, and is killed before the recorder has the message, loses by its own design what it had not saved yet.
        since_s, network = self._plant.recorder.connected_at_s, self._plant.network
        if since_s is None or time.monotonic() - since_s < SETTLED_S:
            return False
        was_whole = network.is_whole
        network.cut()
        time.sleep(SETTLED_S)
        self._plant.broker.kill()
        if was_whole:
            network.heal(forgetful=True)  # whatever was on its way, a message or its acknowledgement
        return True

    @property
    def _may_kill_daemon(self) -> bool:
        # What is published while the disk fails is in memory only, which the daemon says; the marks that it leaves have tests of their own.
        daemon = self._plant.daemon
        return not self._disk_fails and not self._stopped and daemon.is_up and daemon.life.is_durable

    def _kill_daemon(self) -> bool:
        if not self._may_kill_daemon:
            return False
        self._plant.daemon.kill()
        return True

    def _pounce_on_daemon(self) -> bool:
        daemon = self._plant.daemon
        if self._plant.track_s > self._seconds:  # nothing will be opened any more
            return self._kill_daemon()
        if self._may_kill_daemon or daemon.has_pounced:
            return daemon.pounce(" opened from ")
        daemon.spare()
        return False

    def _fill_disk(self) -> bool:
        daemon = self._plant.daemon
        daemon.spare()
        if not daemon.is_up or daemon.has_pounced or self._disk_fails:
            return False
        self._plant.disk.fill(daemon.pid)
        self._disk_fails = True
        self._full_since_s = self._plant.pace.now_s()
        return True

    def _free_disk(self) -> bool:
        daemon = self._plant.daemon
        if daemon.life.is_durable and self._plant.pace.now_s() < self._full_since_s + NOTICE_S:
            return False
        self._plant.disk.free(daemon.pid)
        self._disk_fails = False
        return True

    def _write_protect_disk(self) -> bool:
        """As ext4 does after an error: from a start of the daemon on, for a disk that is written to cannot be protected from outside."""
        self._plant.daemon.spare()
        if self._plant.daemon.has_pounced or not self._kill_daemon():
            return False
        self._plant.disk.protect(True)
        self._disk_fails = True
        self._plant.daemon.start()
        return True

    def _permit_writing(self) -> None:
        self._plant.disk.protect(False)
        self._disk_fails = False

    def _starve(self, trouble: Trouble) -> bool:
        """The daemon stands still as if it were swapped out, and when it goes on there is no memory for the next window of one source."""
        daemon = self._plant.daemon
        daemon.spare()
        if not daemon.is_up or daemon.has_pounced:
            return False
        self._plant.controls.set("short_source", trouble.source + 1)
        daemon.send(signal.SIGSTOP)
        self._stopped = True
        return True

    def _go_on(self) -> None:
        self._plant.daemon.send(signal.SIGCONT)
        self._stopped = False

    def _shift_clock(self, shift_s: float) -> None:
        controls = self._plant.controls
        controls.set("clock_shift_s", controls.get("clock_shift_s") + shift_s)
