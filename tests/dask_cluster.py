"""A real Dask scheduler and real workers, each a process that can be killed; and jobs that workers can import."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edge.errors import UserError

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0  # for a program to start; it takes a second or two


class DaskCluster:
    """A scheduler; workers are added by name. No nanny: a worker that is killed stays dead."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        file = folder / "scheduler.json"
        self._start("scheduler", "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        while not self._address_in(file):
            self._wait("scheduler")
        self.address = self._address_in(file)

    def _address_in(self, file: Path) -> str:
        with contextlib.suppress(OSError, ValueError):  # not there yet, or half written
            return str(json.loads(file.read_text())["address"])
        return ""

    def add_workers(self, *names: str) -> None:
        """Start workers and wait until the scheduler knows them."""
        for name in names:
            self._start(name, "dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--name", name)
        for name in names:
            while "Starting established connection" not in self._log(name):
                self._wait(name)

    def kill(self, name: str) -> None:
        """End a program as a power cut does."""
        self._processes[name].kill()
        self._processes[name].wait()

    def kill_at_work(self, name: str, traces: str) -> None:
        """Wait until a worker is at a job, which has traces in its temporary folder until it is done; end it then and there."""
        while True:
            if any(self.temporary(name).glob(traces)):
                os.kill(self.pid(name), signal.SIGSTOP)
                if any(self.temporary(name).glob(traces)):
                    return self.kill(name)
                os.kill(self.pid(name), signal.SIGCONT)
            time.sleep(0.002)

    def temporary(self, name: str) -> Path:
        """The folder for a program's temporary files."""
        return self._folder / f"tmp-{name}"

    def pid(self, name: str) -> int:
        """The process of a worker."""
        return self._processes[name].pid

    def close(self) -> None:
        """End every program that is left."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _start(self, name: str, program: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments, "--dashboard-address", "127.0.0.1:0"]
        self.temporary(name).mkdir()
        # As a user's shell may have it: a worker computes with one thread all the same.
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "TMPDIR": str(self.temporary(name))}
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
        self._deadline_s = time.monotonic() + PATIENCE_S

    def _wait(self, name: str) -> None:
        if self._processes[name].poll() is not None or time.monotonic() > self._deadline_s:
            raise RuntimeError(f"{name} did not start:\n{self._log(name)}")
        time.sleep(0.05)

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")


@contextlib.contextmanager
def dask_cluster(folder: Path, *workers: str) -> Iterator[DaskCluster]:
    """A scheduler with workers, which end with the block."""
    folder.mkdir(exist_ok=True)
    cluster = DaskCluster(folder)
    try:
        cluster.add_workers(*workers)
        yield cluster
    finally:
        cluster.close()


class Gated(NamedTuple):
    """A job that is done when there is a file `go` in its folder; until then a file says which process works on it."""

    folder: Path
    number: int


def square(number: int) -> int:
    """A job, and three ways to fail."""
    if number == 3:
        raise ValueError("three is\ntoo many")
    if number == 4:
        raise UserError("4", "an even number; take another")
    if number == 5:
        Path("/nowhere/at/all").read_bytes()
    return number * number


def squares_when_open(job: Gated) -> int:
    """A job that holds its worker."""
    (job.folder / f"{job.number}-{os.getpid()}").touch()
    while not (job.folder / "go").exists():
        time.sleep(0.01)
    return job.number * job.number


def kill_self_once(folder: Path) -> str:
    """A job that the first worker does not survive."""
    if not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def kill_self(number: int) -> int:
    """A job that no worker survives."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def nothing_wrong() -> str | None:
    """A check that every worker passes."""
    return None


def something_wrong() -> str | None:
    """A check that none passes."""
    return "has no ears; give it some"
