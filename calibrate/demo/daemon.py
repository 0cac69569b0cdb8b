"""The real daemon in a process of its own, as systemd would start it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from edge.errors import AuscultError

NODE = "demo"
SOURCE = "machine"
STOP_S = 10.0
FIRST_MINUTES = 15  # of a machine that is learned: the fewest


def write_config(
    path: Path, bundle: Path | None, stream: Path, host: str, port: int, *, live: bool = False, loop: bool = False, **more: Any
) -> None:
    """A config.yaml that plays one file through one bundle, as fast as it can be computed.

    `live` plays it at its own speed, takes commands and keeps clips: somebody watches. `loop` plays it without end. Without a bundle the
    source learns by itself. There may be `more` sections.
    """
    source: dict[str, Any] = {"learn": {"days": 1, "first_minutes": FIRST_MINUTES}} if bundle is None else {"bundle": str(bundle.resolve())}
    config: dict[str, Any] = {
        "node": NODE,
        "mqtt": {"host": host, "port": port, "protocol": "3.1.1"},  # amqtt knows no other protocol
        "sources": {SOURCE: {**source, "files": {"paths": [str(stream.resolve())], "realtime": live, "loop": loop}}},
        "outbox": {"path": str(path.resolve().with_name("outbox.sqlite"))},
        "log": {"level": "warning"},
        **more,
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
    with DemoDaemon(config) as daemon:
        daemon.wait(timeout_s)


class DemoDaemon:
    """`auscult run` while the `with` block lasts."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def __enter__(self) -> DemoDaemon:
        """Start it."""
        command: Sequence[str] = (sys.executable, "-m", "edge", "run", "--config", str(self._config.resolve()))
        project = Path(__file__).resolve().parents[2]  # -m must find edge when the demo runs from a checkout
        environment: Mapping[str, str] = {**os.environ, "STATE_DIRECTORY": str(self._config.resolve().with_name("state"))}
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # a pipe that nobody reads would fill
        self._process = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=self._log)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """It goes, gently or not."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait(self, timeout_s: float | None) -> None:
        """Wait until it ends; raises as `run_daemon` does."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise AuscultError(self._config, f"the daemon was still busy after {timeout_s:.0f} s") from error
        if code != 0:
            self._log.seek(0)
            last = self._log.read().strip().splitlines()[-1:] or ["it wrote nothing"]
            raise AuscultError(self._config, f"the daemon ended with exit code {code}: {last[0].removeprefix('auscult: ')}")
