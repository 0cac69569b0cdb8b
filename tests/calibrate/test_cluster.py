"""Jobs one after another, in worker processes, and on a real scheduler whose workers die."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask.config
import pytest

import calibrate.cluster
from calibrate import workers
from calibrate.cluster import Failure, run_each
from calibrate.workers import check_address
from edge.errors import AuscultError, UserError
from tests.dask_cluster import (
    ROOT,
    DaskCluster,
    Gated,
    dask_cluster,
    kill_self,
    kill_self_once,
    nothing_wrong,
    something_wrong,
    square,
    squares_when_open,
)

SQUARES = {
    0: 0,
    1: 1,
    2: 4,
    3: Failure("internal error: ValueError: three is too many", 1),
    4: Failure("4: an even number; take another", 2),
    5: Failure("/nowhere/at/all: No such file or directory", 1),
    6: 36,
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("cluster"), "always") as running:
        yield running


def test_run_each_here_yields_results_and_failures_in_order() -> None:
    assert list(run_each(square, range(7))) == list(SQUARES.items())


def test_run_each_without_jobs_starts_nothing() -> None:
    assert list(run_each(square, [], "tcp://127.0.0.1:1")) == []


def test_run_each_here_when_interrupted_stops_at_once() -> None:
    def interrupted(number: int) -> int:
        if number == 1:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as error:
                raise ImportError("numpy could not be loaded") from error  # what a library makes of Ctrl-C
        return number

    done = run_each(interrupted, range(3))
    assert next(done) == (0, 0)
    with pytest.raises(KeyboardInterrupt):
        next(done)


def test_run_each_local_gives_the_same_results() -> None:
    assert dict(run_each(square, range(7), "local")) == SQUARES


def test_run_each_local_when_a_worker_dies_runs_its_job_again(tmp_path: Path) -> None:
    assert list(run_each(kill_self_once, [tmp_path], "local")) == [(0, "done")]


def test_run_each_local_when_every_worker_dies_of_a_job_gives_it_up() -> None:
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):  # 3 would take longer
        done = dict(run_each(kill_self, [1], "local"))
    assert done == {0: Failure("every worker that tried it died, as they do without enough memory; run it without --cluster", 1)}


def test_run_each_on_a_scheduler_gives_the_same_results(cluster: DaskCluster) -> None:
    assert dict(run_each(square, range(7), cluster.address, check=nothing_wrong)) == SQUARES


def test_run_each_when_a_worker_is_killed_runs_its_job_on_another(cluster: DaskCluster, tmp_path: Path) -> None:
    cluster.add_workers("mortal")

    def kill_when_both_work() -> None:
        while len({started.name.partition("-")[2] for started in tmp_path.iterdir()}) < 2:
            time.sleep(0.01)
        cluster.kill("mortal")
        (tmp_path / "go").touch()

    killer = threading.Thread(target=kill_when_both_work)
    killer.start()
    done = list(run_each(squares_when_open, [Gated(tmp_path, number) for number in range(6)], cluster.address))
    killer.join()
    assert sorted(done) == [(number, number * number) for number in range(6)]
    started = sorted(file.name for file in tmp_path.iterdir() if file.name != "go")
    (lost,) = (name.partition("-")[0] for name in started if name.endswith(f"-{cluster.pid('mortal')}"))
    assert f"{lost}-{cluster.pid('always')}" in started
    assert len(started) == 7


def test_run_each_when_no_worker_is_left_says_so_and_continues_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dask_cluster(tmp_path / "cluster", "mortal") as running:
        gates = tmp_path / "gates"
        gates.mkdir()
        told = []

        def say(line: str) -> None:
            told.append(line)
            running.add_workers("late")
            (gates / "go").touch()

        def kill_when_at_work() -> None:
            while not any(gates.iterdir()):
                time.sleep(0.01)
            running.kill("mortal")

        monkeypatch.setattr(calibrate.cluster, "say", say)
        monkeypatch.setattr(calibrate.cluster, "LOOK_S", 0.1)
        killer = threading.Thread(target=kill_when_at_work)
        killer.start()
        assert list(run_each(squares_when_open, [Gated(gates, 3)], running.address)) == [(0, 9)]
        killer.join()
        assert told == [f"{running.address}: no worker is left; waiting for one to come (Ctrl-C stops)"]


def test_run_each_when_the_scheduler_dies_says_so(tmp_path: Path) -> None:
    with dask_cluster(tmp_path / "cluster", "worker") as running:
        gates = tmp_path / "gates"
        gates.mkdir()

        def kill_when_at_work() -> None:
            while not any(gates.iterdir()):
                time.sleep(0.01)
            running.kill("scheduler")

        killer = threading.Thread(target=kill_when_at_work)
        killer.start()
        with pytest.raises(AuscultError, match="the scheduler is gone") as told:
            list(run_each(squares_when_open, [Gated(gates, 1)], running.address))
        killer.join()
        assert told.value.exit_code == 1


def test_run_each_with_a_worker_of_another_version_refuses_it(cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = workers.versions()
    monkeypatch.setattr(workers, "versions", lambda: theirs | {"faiss": "0.1"})
    with pytest.raises(UserError, match=rf"worker tcp://.*: has faiss {theirs['faiss']}, and this computer 0\.1; install the same on both"):
        next(run_each(square, [1], cluster.address))


def test_run_each_with_a_worker_that_fails_the_check_refuses_it(cluster: DaskCluster) -> None:
    with pytest.raises(UserError, match=r"^worker tcp://.*: has no ears; give it some$"):
        next(run_each(square, [1], cluster.address, check=something_wrong))


def test_run_each_with_a_worker_that_cannot_import_a_job_refuses_it(cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(something_wrong, "__module__", "elsewhere")
    monkeypatch.setitem(sys.modules, "elsewhere", sys.modules[__name__])
    with pytest.raises(UserError, match=r"worker tcp://.*: cannot run Auscult .*elsewhere"):
        next(run_each(square, [1], cluster.address, check=something_wrong))


def test_run_each_with_a_scheduler_without_workers_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CONNECT_S", 0.5)
    with dask_cluster(tmp_path / "cluster") as running, pytest.raises(UserError, match=f"start some with `dask worker {running.address}"):
        next(run_each(square, [1], running.address))


def test_run_each_where_nobody_listens_says_so() -> None:
    with pytest.raises(UserError, match=r"^tcp://127\.0\.0\.1:1: no Dask scheduler answers \(Connection refused\); start one there"):
        next(run_each(square, [1], "tcp://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", r"no Dask scheduler answers \(nothing heard for 0.3 s\)"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers is not a Dask scheduler; correct --cluster"),
    ],
)
def test_run_each_where_another_program_listens_says_so(answer: bytes, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            with server.accept()[0] as connection, contextlib.suppress(ConnectionError):
                connection.sendall(answer)
                connection.recv(1)  # until the other side hangs up

        speaker = threading.Thread(target=speak)
        speaker.start()
        with pytest.raises(UserError, match=problem):
            next(run_each(square, [1], f"tcp://127.0.0.1:{server.getsockname()[1]}"))
        speaker.join()


@pytest.mark.parametrize(
    "cluster", ["local", "tcp://scheduler:8786", "tcp://192.168.1.20:8786", "tls://hall-3.example:1", "tcp://[::1]:8786"]
)
def test_check_address_of_a_cluster_finds_nothing_wrong(cluster: str) -> None:
    assert check_address(cluster) is None


@pytest.mark.parametrize(
    "cluster", ["", "Local", "scheduler:8786", "tcp://scheduler", "tcp://:8786", "tcp://h:0", "tcp://h:65536", "http://h:80"]
)
def test_check_address_of_anything_else_shows_what_to_write(cluster: str) -> None:
    assert check_address(cluster) == f"must be local, or the address of a scheduler such as tcp://192.168.1.20:8786, not {cluster!r}"
    with pytest.raises(UserError, match="--cluster: must be local"):
        next(run_each(square, [1], cluster))


@pytest.mark.parametrize("package", ["dask", "distributed", "threadpoolctl", "cryptography"])
def test_run_each_without_the_extra_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"^--cluster: needs the package {package}; install it with: pip install 'auscult\[cluster\]'$"):
        next(run_each(square, [1], "local"))


def test_run_each_here_imports_no_dask() -> None:
    program = (
        "import sys; from calibrate.commands import calibrate; from calibrate.cluster import run_each\n"
        "from tests.dask_cluster import square\n"
        "assert dict(run_each(square, [2])) == {0: 4}; assert not {'dask', 'distributed', 'tornado'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_run_each_local_when_interrupted_exits_at_once_and_takes_its_workers_along(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from calibrate.cluster import run_each; from edge.console.cli import guarded; "
        "from tests.dask_cluster import Gated, squares_when_open\n"
        "if __name__ == '__main__':\n"
        "    jobs = [Gated(Path(sys.argv[1]), number) for number in range(3)]\n"
        "    sys.exit(guarded(lambda: len(list(run_each(squares_when_open, jobs, 'local')))))\n"
    )
    (tmp_path / "program.py").write_text(program)
    gates = tmp_path / "gates"
    gates.mkdir()
    command = [sys.executable, str(tmp_path / "program.py"), str(gates)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        while not any(gates.iterdir()):
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 130
    for started in gates.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.name.partition("-")[2]), 0)
