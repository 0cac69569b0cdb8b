"""The dashboard as a whole: a feed from the broker, a history, and a server for the pages."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import threading
from dataclasses import replace
from functools import partial
from types import TracebackType

import msgspec
import uvicorn

from edge.dashboard.commander import Commander
from edge.dashboard.complaints import Complaints
from edge.dashboard.feed import Feed
from edge.dashboard.fleet import Fleet
from edge.dashboard.guard import Guard
from edge.dashboard.history import History
from edge.dashboard.hub import Hub
from edge.dashboard.intake import Intake
from edge.dashboard.sessions import Sessions
from edge.dashboard.settings import Address, DashboardSettings
from edge.dashboard.watching import Watching
from edge.dashboard.web import Web
from edge.dashboard.web_protocol import PatientProtocol
from edge.errors import AuscultError, ConfigError

MOST_CONNECTIONS = 150
GOODBYE_S = 3


class Dashboard:
    """Open while the `with` block runs; `serve` answers browsers until it is stopped."""

    def __init__(self, settings: DashboardSettings) -> None:
        self._settings = settings
        self._complaints = Complaints()
        self.history = History(settings.history, settings.keep_days, settings.capacity_mb)
        self.fleet = Fleet()
        self._commander = Commander(settings.base_topic, self._publish)
        self.hub = Hub(self.fleet, self._watched)
        self._watching = Watching(self._commander, self.hub.tell)
        self.intake = Intake(settings.base_topic, self.fleet, self.history, self.hub, self._commander.answered, self._complaints)
        self._feed: Feed | None = None
        self._socket: socket.socket | None = None
        self._server: _Server | None = None

    def __enter__(self) -> Dashboard:
        """Open the history and the port, and begin to connect to the broker.

        Raises
        ------
        UserError, AuscultError
            The history is in use, the broker refuses us, the port is taken.
        """
        try:
            self.history.open()
            self._socket = _listening(self._settings.address)
            name = f"auscult-dashboard-{self.history.database.secret('client_id')[:8]}"
            self._server = _Server(self._config(), self.hub, self._commander, self._watching)
            broker = replace(self._settings.broker, client_id=name)
            self._feed = Feed(broker, self._settings.base_topic, self.intake.deliver, self.intake.poll, self.intake.link)
            self._feed.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Close everything."""
        self.close()

    @property
    def url(self) -> str:
        """What to type into a browser."""
        assert self._socket is not None
        address = replace(self._settings.address, port=self._socket.getsockname()[1])
        return address.url(has_tls=self._settings.cert_file is not None)

    def serve(self) -> None:
        """Answer browsers until `stop`, or in the main thread until SIGINT or SIGTERM."""
        assert self._server is not None
        assert self._socket is not None
        if threading.current_thread() is threading.main_thread():
            # uvicorn raises again what has ended it, which would kill us before the last scores are written.
            signal.signal(signal.SIGTERM, lambda *_: None)
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `serve` return; from any thread."""
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Say goodbye to the broker and write what waits."""
        if self._feed is not None:
            self._feed.stop()
            self._feed = None
        self.intake.close()
        self.history.close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _publish(self, topic: str, payload: bytes) -> bool:
        return self._feed is not None and self._feed.publish(topic, payload)

    def _watched(self, key: str, is_watched: bool) -> None:
        self._watching.change(key, is_watched)

    def _broker(self) -> dict[str, object]:
        if self._feed is None:
            return {"state": "connecting", "reason": None, "since": None}
        link = self._feed.link
        return {"state": link.state, "reason": link.reason, "since": link.since_s}

    def _config(self) -> uvicorn.Config:
        assert self._socket is not None
        settings, database = self._settings, self.history.database
        try:
            known = msgspec.json.decode(database.get("sessions") or "{}", type=dict[str, float])
        except msgspec.MsgspecError:  # everybody logs in again
            known = {}
        sessions = Sessions(settings.password, key=bytes.fromhex(database.secret("key")), known=known)
        cookie_name = f"auscult-{self._socket.getsockname()[1]}"  # cookies know no ports
        web = Web(
            settings,
            sessions,
            cookie_name,
            self.fleet,
            self.history,
            self.hub,
            self.intake,
            self._commander,
            self._broker,
            self._complaints,
        )
        config = uvicorn.Config(
            Guard(web.app, sessions, cookie_name, settings.hosts, self._complaints),
            http=partial(PatientProtocol, complaints=self._complaints),  # type: ignore[arg-type]  # it is only called
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=GOODBYE_S,
            ssl_certfile=settings.cert_file,
            ssl_keyfile=settings.key_file,
            ssl_keyfile_password="none",  # or OpenSSL would ask at the terminal and wait for ever
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            assert settings.cert_file is not None
            problem = (
                f"cannot be used as dashboard.tls.cert_file with its key_file ({error.strerror or error}); "
                "give both as PEM, the key without a passphrase"
            )
            raise ConfigError(settings.cert_file, problem) from error
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        return config


class _Server(uvicorn.Server):
    """Begins what lives in the event loop, and ends it before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, hub: Hub, commander: Commander, watching: Watching) -> None:
        super().__init__(config)
        self._hub = hub
        self._commander = commander
        self._watching = watching
        self._telling: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.begin()
        self._commander.begin()
        self._telling = asyncio.get_running_loop().create_task(self._hub.run())
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._telling is not None:
            self._telling.cancel()
        await self._watching.finish()
        self._hub.close_all()
        await super().shutdown(sockets)


def _listening(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((address.host, address.port))
        found.listen(100)
    except OSError as error:
        found.close()
        problem = f"cannot listen there ({error.strerror or error}); choose another address with --listen"
        raise AuscultError(f"{address.host}:{address.port}", problem) from error
    return found
