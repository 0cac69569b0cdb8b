"""Peak memory of the daemon: a process of its own that plays a recording through a bundle."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

from edge.errors import AuscultError

TIMEOUT_S = 300.0
MEGA = 1e6
# The process tells its own peak: what a parent learns of a child's (getrusage) also counts what the parent held when it started the child.
PROGRAM = """
import runpy, sys
import edge.threads, edge.node.daemon
edge.node.daemon.DELIVERY_TIMEOUT_S = 0.0  # nobody will come for the last messages
sys.argv = ["edge", "run", "--config", sys.argv[1]]
try:
    runpy.run_module("edge", run_name="__main__", alter_sys=True)
finally:
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")))
"""


def peak_rss_mb(bundle: Path, stream: Path, folder: Path) -> float:
    """Return the largest resident memory of `auscult run` while it plays `stream`, in megabytes (10^6 bytes).

    Its broker is away, which a daemon must bear: nobody listens on the port that it is given. Linux only.

    Raises
    ------
    AuscultError
        When the daemon fails; with the last line it wrote.
    """
    config = folder / "config.yaml"
    config.write_text(
        json.dumps(  # JSON is YAML
            {
                "node": "benchmark",
                "mqtt": {"host": "127.0.0.1", "port": _closed_port()},
                "sources": {"machine": {"bundle": str(bundle.resolve()), "files": {"paths": [str(stream.resolve())]}}},
                "log": {"level": "error"},
            }
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(config)],
        cwd=Path(__file__).resolve().parents[1],  # where `edge` is when this runs from a checkout
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    peak_kib = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("VmHWM")]
    # A false alarm that no broker takes makes the daemon end with 1 when its recording is over.
    if not peak_kib or done.returncode not in (0, AuscultError.exit_code):
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise AuscultError("auscult run", f"could not be measured: {last[0]}")
    return peak_kib[0] * 1024 / MEGA


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
