"""Dask workers: worker processes of this computer, or those of a scheduler, checked before they get work."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

from edge.errors import UserError
from edge.version import VERSION

LOCAL = "local"
CONNECT_S = 5.0  # to find a scheduler, and a worker of it
LIBRARIES = ("numpy", "onnxruntime", "faiss", "soxr", "soundfile", "distributed")  # whose version may show in a result
FRAMES = 64  # more than a Dask greeting has; it begins with their number, as 8 bytes
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):(\d{1,5})")


def check_address(cluster: str) -> str | None:
    """What is wrong with the name of a cluster; None when nothing is. Nobody is asked yet."""
    match = _ADDRESS.fullmatch(cluster)
    if cluster == LOCAL or (match is not None and 0 < int(match[3]) < 65536):
        return None
    return f"must be {LOCAL}, or the address of a scheduler such as tcp://192.168.1.20:8786, not {cluster!r}"


def import_distributed() -> Any:
    """Dask without its log: we report its problems in one line, or it recovers from them."""
    try:
        config = importlib.import_module("dask").config
        levels = dict.fromkeys(("distributed", "distributed.client", "distributed.gc", "tornado.application"), "critical")
        if "logging" not in config.config and "distributed" not in sys.modules:
            config.set(logging=levels)  # handed on to the workers of "local"
        for needed in ("cryptography", "threadpoolctl"):
            importlib.import_module(needed)
        return importlib.import_module("distributed")
    except ModuleNotFoundError as error:
        problem = f"needs the package {error.name}; install it with: pip install 'auscult[cluster]'"
        raise UserError("--cluster", problem) from error


@contextlib.contextmanager
def connected(cluster: str, jobs: int, check: Callable[[], str | None] | None = None) -> Iterator[Any]:
    """A Dask client, and for "local" the worker processes, which end with it.

    Parameters
    ----------
    cluster
        "local" or the address of a scheduler.
    jobs
        How many there will be: no more workers of this computer are needed.
    check
        Called on every worker of a scheduler: what is wrong there, if anything.

    Raises
    ------
    UserError
        No cluster's name; Dask is not installed; no scheduler answers; it has no workers; one of them has another version of a library or
        fails `check`.
    """
    if problem := check_address(cluster):
        raise UserError("--cluster", problem)
    distributed = import_distributed()
    with contextlib.ExitStack() as stack:
        address: Any = cluster
        if cluster == LOCAL:
            address = stack.enter_context(_local_workers(distributed, jobs))
        else:
            _knock(cluster)
        try:
            client = distributed.Client(address, timeout=CONNECT_S)
        except OSError as error:
            raise UserError(cluster, f"the Dask scheduler there does not let us in ({error})") from error
        stack.callback(client.close, timeout=CONNECT_S)
        if cluster != LOCAL:
            _check_workers(client, cluster, check)
        yield client


@contextlib.contextmanager
def _local_workers(distributed: Any, jobs: int) -> Iterator[Any]:
    """A scheduler in this process, and a worker process for each core, but no more than jobs."""
    workers = distributed.LocalCluster(
        n_workers=max(1, min(jobs, importlib.import_module("dask.system").CPU_COUNT)),
        threads_per_worker=1,
        memory_limit=0,  # a share of the memory for each would stop a job that fits
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
        security=True,  # else any user of this computer could have our workers run code
    )
    try:
        yield workers
    finally:
        for nanny in workers.workers.values():
            nanny.close_gracefully()  # no worker in the place of this one, which would finish its job if it were asked to end
            with contextlib.suppress(OSError, TypeError):  # there is none any more
                os.kill(nanny.pid, signal.SIGKILL)
        workers.close(timeout=CONNECT_S)


def _knock(address: str) -> None:
    """Refuse an address where no scheduler answers: Dask would wait for ever for one that is silent, and believe any other."""
    match = _ADDRESS.fullmatch(address)
    assert match is not None
    try:
        with socket.create_connection((match[2].strip("[]"), int(match[3])), timeout=CONNECT_S) as connection:
            first = connection.recv(8) if match[1] == "tcp" else None  # with TLS it is for us to begin
    except OSError as error:
        why = error.strerror or f"nothing heard for {CONNECT_S:g} s"
        raise UserError(address, f"no Dask scheduler answers ({why}); start one there (`dask scheduler`), or correct --cluster") from error
    if first is not None and not 0 < int.from_bytes(first, "little") <= FRAMES:
        raise UserError(address, "what answers is not a Dask scheduler; correct --cluster")


def _check_workers(client: Any, cluster: str, check: Callable[[], str | None] | None) -> None:
    """Refuse workers that would fail, or give other numbers, before the long work."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        raise UserError(cluster, f"the scheduler has no workers; start some with `dask worker {cluster} --nthreads 1`") from error
    ours = versions()
    for worker, answer in sorted(client.run(_answer, check, on_error="return").items()):
        if isinstance(answer, Exception):
            problem = f"cannot run Auscult ({type(answer).__name__}: {answer}); install the same version there with the extra [cluster]"
            raise UserError(f"worker {worker}", problem)
        theirs, problem = answer
        for name, version in ours.items():
            if theirs.get(name) != version:
                raise UserError(f"worker {worker}", f"has {name} {theirs.get(name)}, and this computer {version}; install the same on both")
        if problem:
            raise UserError(f"worker {worker}", problem)


def _answer(check: Callable[[], str | None] | None) -> tuple[dict[str, str], str | None]:
    """On a worker: what it is made of, and what is wrong with it."""
    return versions(), check() if check is not None else None


def versions() -> dict[str, str]:
    """Auscult's version, and those of the libraries that decide about the last bit of a result."""
    return {"auscult": VERSION} | {name: str(importlib.import_module(name).__version__) for name in LIBRARIES}
