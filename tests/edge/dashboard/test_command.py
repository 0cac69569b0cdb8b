"""`auscult dashboard` as it is typed."""

from __future__ import annotations

import http.client
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.simulated_fleet import SimulatedFleet
from edge.dashboard.password import Password
from tests.broker import HOST, Broker, MakeBroker, free_port
from tests.edge.dashboard.served import wait_for

ROOT = Path(__file__).resolve().parents[3]


def write(folder: Path, port: int, **more: Any) -> Path:
    path = folder / "dashboard.yaml"
    dashboard = {"listen": "127.0.0.1:0", "history": "history.sqlite", **more.pop("dashboard", {})}
    path.write_text(yaml.safe_dump({"mqtt": {"host": HOST, "port": port, **more}, "dashboard": dashboard}))
    return path


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / "auscult.py"), "dashboard", *map(str, arguments)]


def typed(*arguments: str | Path, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, input=said, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(config: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and host and port of its page."""
    process = subprocess.Popen(command("--config", config), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("dashboard: http://127.0.0.1:"), process.stderr and process.stderr.read()
        yield process, line.removeprefix("dashboard: http://").rstrip("/")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_dashboard_that_is_ended_writes_what_it_has_heard(number: int, code: int, broker: Broker, tmp_path: Path) -> None:
    with SimulatedFleet(HOST, broker.port, {"hall": ["pump1"]}), running(write(tmp_path, broker.port)) as (process, host):

        def scored() -> Any:
            connection = http.client.HTTPConnection(host, timeout=10)
            connection.request("GET", "/api/fleet")
            found = json.loads(connection.getresponse().read())["scores"]
            connection.close()
            return found or None

        wait_for(scored)
        page = http.client.HTTPConnection(host, timeout=10)  # stays open: nobody waits for it
        page.request("GET", "/api/live?node=hall&source=pump1")
        assert page.getresponse().status == 200
        process.send_signal(number)
        _, log = process.communicate(timeout=30)
        page.close()
        assert process.returncode == code, log
        assert "Traceback" not in log
    db = sqlite3.connect(tmp_path / "history.sqlite")
    (windows,) = db.execute("SELECT sum(windows) FROM buckets WHERE step = 120").fetchone()
    db.close()
    assert windows >= 1


def test_password_is_hashed_from_standard_input() -> None:
    done = typed("--hash-password", said="correct horse\n")
    assert done.returncode == 0
    assert Password(done.stdout.strip()).is_right("correct horse")
    short = typed("--hash-password", said="horse\n")
    assert (short.returncode, short.stdout) == (2, "")
    assert short.stderr == "auscult: --hash-password: a password of this page has at least 8 characters\n"


def test_mistakes_are_one_line_and_exit_code_2(broker: Broker, make_broker: MakeBroker, tmp_path: Path) -> None:
    with running(write(tmp_path, broker.port)) as (_, host):
        taken = typed("--config", write(tmp_path, broker.port, dashboard={"history": "other.sqlite"}), "--listen", host)
        assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
        assert "cannot listen there (Address already in use); choose another address with --listen" in taken.stderr
        shared = typed("--config", write(tmp_path, broker.port))
        assert (shared.returncode, "another dashboard uses this history" in shared.stderr) == (2, True)
    closed = make_broker(password=True)
    refused = typed("--config", write(tmp_path, closed.port))
    assert refused.returncode == 2
    assert "the broker refused us" in refused.stderr.splitlines()[-1]
    for arguments, said in (
        (("--config", tmp_path / "none.yaml"), "no such file"),
        (("--config", write(tmp_path, free_port()), "--listen", "8642"), "--listen 8642: expected an address and a port"),
        (("--config", write(tmp_path, free_port()), "--listen", "0.0.0.0:8642"), "so it needs dashboard.password_file"),
    ):
        done = typed(*arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
