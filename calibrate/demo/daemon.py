"""The real daemon in a process of its own, as systemd would start it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from edge.errors import AuscultError

NODE = "demo"
SOURCE = "machine"


def write_config(path: Path, bundle: Path, stream: Path, host: str, port: int, *, live: bool = False, loop: bool = False) -> None:
    """A config.yaml that plays one file through one bundle, as fast as it can be computed.

    `live` plays it at its own speed, takes commands and keeps clips: somebody watches. `loop` plays it without end.
    """
    config: dict[str, Any] = {
        "node": NODE,
        "mqtt": {"host": host, "port": port, "protocol": "3.1.1"},  # amqtt knows no other protocol
        "sources": {SOURCE: {"bundle": str(bundle.resolve()), "files": {"paths": [str(stream.resolve())], "realtime": live, "loop": loop}}},
        "outbox": {"path": str(path.resolve().with_name("outbox.sqlite"))},
        "log": {"level": "warning"},
    }
    if live:
        config |= {"commands": {"enabled": True}, "clips": {"enabled": True, "folder": str(clips_of(path))}, "health": {"interval_s": 5}}
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def clips_of(config: Path) -> Path:
    """Where the clips of a watched demo are kept."""
    return config.resolve().with_name("clips")


def run_daemon(config: Path, timeout_s: float | None) -> None:
    """Run `auscult run` until the recording ends.

    Raises
    ------
    AuscultError
        It failed or did not end in time; with the last line it wrote.
    """
    command: Sequence[str] = (sys.executable, "-m", "edge", "run", "--config", str(config.resolve()))
    project = Path(__file__).resolve().parents[2]  # -m must find edge when the demo runs from a checkout
    environment: Mapping[str, str] = {**os.environ, "STATE_DIRECTORY": str(config.resolve().with_name("state"))}
    try:
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise AuscultError(config, f"the daemon was still busy after {timeout_s:.0f} s") from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it wrote nothing"]
        raise AuscultError(config, f"the daemon ended with exit code {done.returncode}: {last[0].removeprefix('auscult: ')}")
