"""A dashboard that serves, on a real broker, and somebody who asks it things as a browser would."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from edge.dashboard.dashboard import Dashboard
from edge.dashboard.password import Password, hash_password
from edge.dashboard.settings import Address, DashboardSettings
from edge.mqtt.settings import BrokerSettings
from tests.broker import HOST, Broker

TIMEOUT_S = 20.0
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


@dataclass
class Client:
    """Has a cookie and a token once `session` was called."""

    dashboard: Dashboard
    cookie: str = ""
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Host and port, as a browser names them."""
        return urlsplit(self.dashboard.url).netloc

    def connection(self) -> http.client.HTTPConnection:
        """A connection of one's own; with TLS nobody looks at the certificate."""
        if self.dashboard.url.startswith("https"):
            return http.client.HTTPSConnection(self.host, timeout=TIMEOUT_S, context=ssl._create_unverified_context())
        return http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """One request; names of headers with _ for -."""
        given = {"Cookie": self.cookie, **self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection = self.connection()
        try:
            connection.request(method, path, body, {name: value for name, value in given.items() if value})
            response = connection.getresponse()
            return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        """Read."""
        return self.ask("GET", path, None, **headers)

    def session(self) -> Any:
        """As the page begins."""
        reply = self.get("/api/session")
        if "set-cookie" in reply.headers:
            self.cookie = reply.headers["set-cookie"].partition(";")[0]
        self.token = reply.json()["token"]
        return reply.json()

    def post(self, path: str, data: Any, **headers: str) -> Reply:
        """Change, as the page does it."""
        told = {"Origin": f"http://{self.host}", "Content-Type": "application/json", "X-Auscult-Token": self.token}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, json.dumps(data).encode(), **told)

    def log_in(self, password: str) -> Reply:
        """Log in, and keep the cookie."""
        self.session()
        reply = self.post("/api/login", {"password": password})
        if reply.status == 200:
            self.cookie = reply.headers["set-cookie"].partition(";")[0]
            self.token = reply.json()["token"]
        return reply


def settings(broker: Broker, folder: Path, **more: Any) -> DashboardSettings:
    """Of a dashboard on a free port."""
    told: dict[str, Any] = {
        "address": Address("127.0.0.1", 0),
        "broker": BrokerSettings(HOST, "unused", broker.port),
        "base_topic": "auscult",
        "history": folder / "dashboard.sqlite",
        "keep_days": 30.0,
        "capacity_mb": 50.0,
    }
    return DashboardSettings(**{**told, **more})


@contextmanager
def served(chosen: DashboardSettings) -> Iterator[Client]:
    """Serve while the context is open."""
    with Dashboard(chosen) as dashboard:
        thread = threading.Thread(target=dashboard.serve)
        thread.start()
        try:
            client = Client(dashboard)
            wait_for(lambda: client.get("/").status == 200 or None)
            yield client
        finally:
            dashboard.stop()
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()


@contextmanager
def serving(broker: Broker, folder: Path, password: str | None = None, **more: Any) -> Iterator[Client]:
    """Serve with these settings."""
    secret = Password(hash_password(password)) if password is not None else None
    with served(settings(broker, folder, password=secret, **more)) as client:
        if password is None:
            client.session()
        yield client


def wait_for(look: Callable[[], Found | None], timeout_s: float = TIMEOUT_S) -> Found:
    """Wait until `look` finds something; a failure of its own counts as nothing while there is time."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            found = look()
        except OSError:
            found = None
        if found is not None:
            return found
        assert time.monotonic() < deadline_s, f"not there within {timeout_s} s"
        time.sleep(0.05)
