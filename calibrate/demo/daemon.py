"""The real daemon in a process of its own, as systemd would start it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from edge.errors import AuscultError

NODE = "demo"
SOURCE = "machine"


def write_config(path: Path, bundle: Path, stream: Path, host: str, port: int) -> None:
    """A config.yaml that plays one file through one bundle, as fast as it can be computed."""
    config = {
        "node": NODE,
        "mqtt": {"host": host, "port": port, "protocol": "3.1.1"},  # amqtt knows no other protocol
        "sources": {SOURCE: {"bundle": str(bundle.resolve()), "files": {"paths": [str(stream.resolve())], "realtime": False}}},
        "outbox": {"path": str(path.resolve().with_name("outbox.sqlite"))},
        "log": {"level": "warning"},
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def run_daemon(config: Path, timeout_s: float) -> None:
    """Run `auscult run` until the recording ends.

    Raises
    ------
    AuscultError
        It failed or did not end in time; with the last line it wrote.
    """
    command: Sequence[str] = (sys.executable, "-m", "edge", "run", "--config", str(config.resolve()))
    project = Path(__file__).resolve().parents[2]  # -m must find edge when the demo runs from a checkout
    try:
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise AuscultError(config, f"the daemon was still busy after {timeout_s:.0f} s") from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it wrote nothing"]
        raise AuscultError(config, f"the daemon ended with exit code {done.returncode}: {last[0].removeprefix('auscult: ')}")
