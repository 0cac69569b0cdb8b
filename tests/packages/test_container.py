"""The container image, as far as it can be checked without a builder: its steps, the example of compose, and the health check for real."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.config.load import load_config
from edge.node.systemd_notify import SystemdNotifier
from tests.broker import MakeBroker

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "packaging" / "docker"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, in order, with lines that go on joined."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def final_stage() -> list[tuple[str, str]]:
    steps = instructions()
    return steps[max(index for index, (word, _) in enumerate(steps) if word == "FROM") :]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def test_dockerfile_has_known_instructions_only() -> None:
    assert {word for word, _ in instructions()} <= {
        *("ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD")
    }


def test_dockerfile_copies_what_is_there_and_what_dockerignore_lets_through() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")]
    sources = [shlex.split(rest)[:-1] for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    for source in (Path(name) for names in sources for name in names):
        assert (ROOT / source).exists(), source
        assert any(source.match(pattern) for pattern in allowed), source


def test_dockerfile_holds_all_that_the_wheel_is_built_from() -> None:
    copied = {name for word, rest in instructions() if word == "COPY" for name in shlex.split(rest)[:-1]}
    packages = {file.parts[len(ROOT.parts)] for file in ROOT.glob("*/__init__.py")}
    assert {*packages, "auscult.py", "pyproject.toml", "README.md", "LICENSE"} <= copied


def test_image_runs_as_a_user_of_its_own_from_the_lock_and_says_how_it_is() -> None:
    words = dict(final_stage())
    assert words["USER"] == "auscult"
    assert words["FROM"].endswith("-slim")
    assert ("RUN", ".ci/setup copy /opt/auscult") in instructions()
    assert not re.search(r"pip install|://", (DOCKER / "Dockerfile").read_text(encoding="utf-8"))
    assert words["CMD"] == '["run", "--config", "/etc/auscult/config.yaml"]'
    assert "/opt/auscult/healthcheck.py" in words["HEALTHCHECK"]


def test_compose_runs_both_without_rights_on_a_root_that_cannot_be_written() -> None:
    services = compose()["services"]
    assert set(services) == {"mosquitto", "auscult"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    assert services["mosquitto"]["ports"] == ["127.0.0.1:1883:1883"]
    volumes = [volume.partition(":") for service in services.values() for volume in service["volumes"]]
    assert [source for source, _, _ in volumes if source.startswith(".") and not (DOCKER / source).is_file()] == []
    assert {source for source, _, _ in volumes if not source.startswith(".")} == set(compose()["volumes"])


def test_configuration_of_compose_is_valid_and_names_its_broker() -> None:
    assert load_config(DOCKER / "config.yaml").mqtt.host in compose()["services"]


def test_broker_of_compose_takes_its_configuration(tmp_path: Path, make_broker: MakeBroker) -> None:
    port = make_broker(start=False).port
    text = (DOCKER / "mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("listener 1883", f"listener {port} 127.0.0.1").replace("/mosquitto/data/", f"{tmp_path}/")
    (tmp_path / "mosquitto.conf").write_text(f"{text}user {getpass.getuser()}\n", encoding="utf-8")
    with subprocess.Popen(["mosquitto", "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.PIPE, text=True) as broker:
        assert broker.stderr is not None
        assert any("running" in line for line in broker.stderr)
        broker.kill()  # it may not listen to SIGTERM yet


def healthcheck(folder: Path, watchdog_s: float) -> subprocess.Popen[str]:
    environment = os.environ | {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(round(watchdog_s * 1e6))}
    return subprocess.Popen([sys.executable, DOCKER / "healthcheck.py"], env=environment, stderr=subprocess.PIPE, text=True)


def test_healthcheck_hears_the_sign_of_life_that_the_daemon_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1")  # due at every call
    notifier = SystemdNotifier()
    with healthcheck(tmp_path, 60.0) as asking:
        while asking.poll() is None:
            notifier.ready("listening")  # which is not yet one
            notifier.alive()
    assert asking.returncode == 0
    assert not (tmp_path / "notify").exists()


def test_healthcheck_without_a_sign_of_life_fails_and_leaves_no_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as killed:
        killed.bind(str(tmp_path / "notify"))  # of a check that Docker has killed
    with healthcheck(tmp_path, 0.1) as asking:
        assert asking.wait(30.0) == 1
        assert asking.stderr is not None
        assert asking.stderr.read() == "auscult: the daemon has given no sign of life; see its log\n"
    assert not (tmp_path / "notify").exists()
