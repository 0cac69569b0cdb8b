"""The daemon as systemd would keep it: started again after it was killed, with everything it says written down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import msgspec

from tests.faults.pace import Pace

PROJECT = Path(__file__).parents[2]
STOP_TIMEOUT_S = 30.0


@dataclass(slots=True)
class Life:
    """One process of the daemon. Times are those of the pace, which all processes share."""

    number: int
    started_s: float
    ended_s: float | None = None
    lines: list[str] = field(default_factory=list)  # of its log
    taps: list[dict[str, Any]] = field(default_factory=list)  # see tests/faults/tap.py

    def says(self, words: str) -> int:
        """In how many lines of the log it has said so."""
        return sum(words in line for line in list(self.lines))

    @property
    def is_durable(self) -> bool:
        """Whether the outbox writes to its disk, as far as the log says."""
        return self.says("in memory only until it can") == self.says("works again; event messages are saved")


class WatchedDaemon:
    """Starts and kills it; a daemon that ends by itself is an error."""

    def __init__(self, config: Path, controls: Path, pace: Pace, log: TextIO) -> None:
        self.lives: list[Life] = []
        self._config = config
        self._controls = controls
        self._pace = pace
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self._pounces_on: str | None = None
        self.has_pounced = False  # and the body has not been found yet

    @property
    def life(self) -> Life:
        """The present or the last one."""
        return self.lives[-1]

    @property
    def pid(self) -> int:
        """Of the present process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_up(self) -> bool:
        """Whether it runs and has started to listen."""
        return self._process is not None and self.life.says("started: node") > 0

    def start(self) -> None:
        """Begin another life."""
        reader, writer = os.pipe()
        pace = (str(self._pace.speed), repr(self._pace.zero_s))
        command = [sys.executable, "-m", "tests.faults.daemon", str(self._config), str(self._controls), *pace, str(writer)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        life = Life(len(self.lives), self._pace.now_s())
        self._process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, pass_fds=[writer], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        os.close(writer)
        self.lives.append(life)
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_log, args=(life, self._process.stderr), daemon=True),
            threading.Thread(target=self._read_taps, args=(life, os.fdopen(reader)), daemon=True),
        ]
        for thread in self._readers:
            thread.start()

    def check(self) -> None:
        """Raise RuntimeError when it has ended although nobody has killed it."""
        if self._process is not None and self._process.poll() is not None and not self.has_pounced:
            raise RuntimeError(f"the daemon has ended by itself with exit code {self._process.returncode}: {self.life.lines[-3:]}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that has been killed meanwhile does not mind."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._pounces_on = None
        self._process.kill()
        self._reap()

    def pounce(self, words: str) -> bool:
        """SIGKILL in the instant in which a line of its log holds these words; asked again and again, return whether that has happened."""
        self._pounces_on = words
        if self.has_pounced:
            self._pounces_on = None
            self.kill()
            self.has_pounced = False
            return True
        return False

    def spare(self) -> None:
        """Not any more."""
        self._pounces_on = None

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        assert self._process is not None
        process = self._process
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
        self._reap()
        return process.returncode

    def close(self) -> None:
        """Make sure that it is gone."""
        if self._process is not None:
            self.kill()

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait()
        self.life.ended_s = self._pace.now_s()
        for thread in self._readers:  # what was written before the end is in the pipes
            thread.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None

    def _read_log(self, life: Life, pipe: TextIO) -> None:
        for line in pipe:
            if self._pounces_on is not None and self._pounces_on in line and not self.has_pounced and life is self.life:
                self.has_pounced = True
                os.kill(self.pid, signal.SIGKILL)
            life.lines.append(line.rstrip("\n"))
            print(f"{self._pace.now_s():.3f} {life.number}: {line}", end="", file=self._log, flush=True)

    def _read_taps(self, life: Life, pipe: TextIO) -> None:
        with pipe:
            for line in pipe:
                life.taps.append(msgspec.json.decode(line))
                print(f"{life.number}: {line}", end="", file=self._log)
