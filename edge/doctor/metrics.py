"""Whether the metrics can be served where the configuration says."""

from __future__ import annotations

import errno

from edge.doctor.finding import Finding, ok, warn
from edge.errors import ConfigError
from edge.metrics.serving import check_installed, open_server

CHECK = "metrics"


def check_metrics(listen: str) -> Finding:
    """Listen there for a moment.

    Raises
    ------
    ConfigError : prometheus-client is not installed, or nobody can listen there
    """
    check_installed()
    try:
        open_server(listen, bytes).stop()
    except ConfigError as error:
        if not (isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE):
            raise
        return warn(CHECK, f"{listen} is in use", "right while the daemon of this node runs; else choose another port in metrics.listen")
    return ok(CHECK, f"{listen} is free")
