"""A real Home Assistant on a free port of the loopback interface, in an environment of its own that is made when it is first needed.

It wants a newer Python than Auscult does and takes 800 MB, so `make test-homeassistant` makes the environment. Tests are skipped
with a reason where there is none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.broker import HOST, Broker, free_port

PROJECT = Path(__file__).parents[3]
ENVIRONMENT = PROJECT / "build" / "homeassistant"  # kept for the next run
INSTALL = "AUSCULT_INSTALL_HOME_ASSISTANT"  # set to anything: the environment may be made
PYTHONS = ("3.14", "3.13")
START_S = 180.0
WAIT_S = 60.0

# Run with Home Assistant's own Python: the packages that its default integrations and MQTT need, as its manifests pin them.
REQUIREMENTS = """
import json, pathlib, homeassistant
from homeassistant import bootstrap
components = pathlib.Path(homeassistant.__file__).parent / "components"
todo = {*bootstrap.DEFAULT_INTEGRATIONS, *bootstrap.CORE_INTEGRATIONS, "api", "config", "mqtt", "onboarding"}
todo |= {"sensor", "binary_sensor", "event", "button"}
seen, needed = set(), set()
while todo:
    name = todo.pop()
    seen.add(name)
    manifest = json.loads((components / name / "manifest.json").read_text())
    needed |= set(manifest.get("requirements", []))
    todo |= set(manifest.get("dependencies", [])) - seen
print(" ".join(sorted(needed)))
"""


def _python() -> str:
    """A Python that Home Assistant runs with, which is newer than device discovery."""
    for version in PYTHONS:
        installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True)
        for place in (shutil.which(f"python{version}"), *map(str, installed)):
            if place is None:
                continue
            found = subprocess.run([place, "-c", "import venv, ssl, sqlite3"], capture_output=True, check=False, timeout=30)
            if found.returncode == 0:
                return place
    pytest.skip(f"Home Assistant needs Python {' or '.join(reversed(PYTHONS))}, and none is installed (uv python install {PYTHONS[-1]})")


def _install() -> Path:
    """Make the environment, and return its folder of programs."""
    programs = ENVIRONMENT / "bin"
    if (ENVIRONMENT / "complete").exists():
        return programs
    if not os.environ.get(INSTALL):
        pytest.skip("Home Assistant takes 800 MB; `make test-homeassistant` installs it and runs this")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run([_python(), "-m", "venv", ENVIRONMENT], check=True, timeout=120)
    packages = ["homeassistant"]
    for step in range(2):
        if step:
            found = subprocess.run([programs / "python", "-c", REQUIREMENTS], check=True, capture_output=True, text=True, timeout=60)
            packages = found.stdout.split()
        done = subprocess.run([programs / "pip", "install", "-q", *packages], check=False, capture_output=True, text=True, timeout=900)
        if done.returncode != 0:
            pytest.skip(f"Home Assistant cannot be installed from the package index: {done.stderr.strip().splitlines()[-1:]}")
    (ENVIRONMENT / "complete").touch()
    return programs


class HomeAssistant:
    """What a user sees of it, by its REST API."""

    def __init__(self, port: int, log: Path) -> None:
        self._base = f"http://{HOST}:{port}"
        self._log = log
        self._token: str | None = None

    def ask(self, path: str, body: dict[str, Any] | None = None, *, form: bool = False) -> Any:
        """GET, or POST a body."""
        data = None
        if body is not None:
            data = (urllib.parse.urlencode(body) if form else json.dumps(body)).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(f"{self._base}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30.0) as answer:
            return json.load(answer)

    def set_up(self, broker: Broker) -> None:
        """The first user, and the MQTT integration, as the pages of a new installation do it."""
        client = {"client_id": f"{self._base}/"}
        user = {"name": "Anna", "username": "anna", "password": "a test's secret", "language": "en"}
        code = self.ask("/api/onboarding/users", {**client, **user})["auth_code"]
        grant = {**client, "grant_type": "authorization_code", "code": code}
        self._token = self.ask("/auth/token", grant, form=True)["access_token"]
        flow = self.ask("/api/config/config_entries/flow", {"handler": "mqtt", "show_advanced_options": False})
        made = self.ask(f"/api/config/config_entries/flow/{flow['flow_id']}", {"broker": HOST, "port": broker.port})
        assert made["type"] == "create_entry", made

    def states(self) -> dict[str, dict[str, Any]]:
        """Every entity by its id."""
        return {state["entity_id"]: state for state in self.ask("/api/states")}

    def state(self, entity: str) -> str | None:
        """The state of one; None when there is none."""
        found = self.states().get(entity)
        return None if found is None else str(found["state"])

    def number(self, entity: str) -> float:
        """The state of one as a number; NaN when it is none."""
        try:
            return float(self.state(entity) or "nan")
        except ValueError:
            return float("nan")

    def press(self, button: str) -> None:
        """Press a button."""
        self.ask("/api/services/button/press", {"entity_id": button})

    def wait_for(self, is_so: Callable[[], object], timeout_s: float = WAIT_S) -> None:
        """Wait until something is so."""
        deadline_s = time.monotonic() + timeout_s
        while not is_so():
            if time.monotonic() > deadline_s:
                ours = {entity: state["state"] for entity, state in self.states().items() if "auscult" in entity}
                pytest.fail(f"did not come about in {timeout_s} s; there are {ours}; its log ends: {self.log()[-3000:]}")
            time.sleep(0.2)

    def log(self) -> str:
        """What it has logged, warnings and worse."""
        return self._log.read_text(errors="replace")


@contextmanager
def home_assistant(folder: Path, broker: Broker, **sections: Any) -> Iterator[HomeAssistant]:
    """One that is set up and connected to a broker; `sections` are of its configuration."""
    programs = _install()
    port = free_port()
    settings = {"http": {"server_host": HOST, "server_port": port}, "api": {}, "config": {}, "logger": {"default": "warning"}, **sections}
    folder.mkdir()
    (folder / "configuration.yaml").write_text(json.dumps(settings))
    log = folder / "stderr.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with log.open("wb") as file:
        command: list[str | Path] = [programs / "hass", "-c", folder, "--skip-pip"]
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, cwd=folder)
    one = HomeAssistant(port, log)
    try:
        deadline_s = time.monotonic() + START_S
        while True:
            try:
                one.ask("/api/onboarding")
                break
            except (OSError, urllib.error.URLError):
                if process.poll() is not None or time.monotonic() > deadline_s:
                    pytest.fail(f"Home Assistant does not start: {one.log()[-3000:]}")
                time.sleep(0.5)
        one.set_up(broker)
        yield one
    finally:
        process.terminate()
        try:
            process.wait(30.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
