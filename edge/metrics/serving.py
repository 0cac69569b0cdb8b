"""Starts the server that `metrics.listen` asks for, or says in one line why that is impossible."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.config.address import is_this_device, split
from edge.errors import ConfigError
from edge.metrics.server import PATH, MetricsServer, Render
from edge.node.node_report import NodeReport

LOG = logging.getLogger("auscult.metrics")
ANSWER_WAIT_S = 5.0  # for the daemon to make a report, between two turns of its sources

_REMEDIES = {
    errno.EADDRINUSE: "another program, or another node, listens there; choose another port",
    errno.EADDRNOTAVAIL: "this device has no such address; 0.0.0.0 listens on all addresses",
    errno.EACCES: "ports below 1024 need root; choose a higher one",
}


@contextmanager
def served(listen: str, report: Callable[[float], NodeReport]) -> Iterator[None]:
    """Serve what `report(wait_s)` returns while the body runs.

    Raises
    ------
    ConfigError
        when prometheus-client is not installed, or nobody can listen there.
    """
    server = open_server(listen, _renderer(report))
    host, _ = split(listen)
    try:
        server.start()
        LOG.info("metrics: http://%s%s", listen, PATH)
        if not is_this_device(host):
            LOG.warning("metrics.listen: %s has no password: anyone who can reach this address can read the metrics", listen)
        yield
    finally:
        server.stop()


def open_server(listen: str, render: Render) -> MetricsServer:
    """A server that listens and does not answer yet; raises ConfigError when nobody can listen there."""
    host, port = split(listen)
    try:
        return MetricsServer(host, port, render)
    except socket.gaierror as error:
        raise ConfigError("metrics.listen", f"{listen}: no such address ({error.strerror}); write one that this device has") from error
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "choose another address or port")
        raise ConfigError("metrics.listen", f"{listen}: {os.strerror(error.errno or 0).lower()}; {remedy}") from error


def _renderer(report: Callable[[float], NodeReport]) -> Render:
    """Writes a report in Prometheus' text format."""
    check_installed()
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    from edge.metrics.collector import NodeCollector

    registry = CollectorRegistry()
    registry.register(NodeCollector(lambda: report(ANSWER_WAIT_S)))
    ProcessCollector(registry=registry)  # memory, processor time and start of the daemon, under the names that all programs use
    return lambda: generate_latest(registry)


def check_installed() -> None:
    """Raise ConfigError when prometheus-client, which comes with an extra, is not there."""
    try:
        import prometheus_client  # noqa: F401
    except ModuleNotFoundError as error:
        problem = "needs the package prometheus-client; install it with: pip install 'auscult[metrics]', or remove the key"
        raise ConfigError("metrics.listen", problem) from error
