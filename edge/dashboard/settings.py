"""What a dashboard needs to know, from config.yaml and the command line, checked."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.config.address import PATTERN, is_this_device, split
from edge.config.dashboard_section import MAKE_ONE
from edge.config.schema import Config, DashboardConfig, FleetConfig
from edge.dashboard.password import Password
from edge.errors import ConfigError, UserError
from edge.mqtt.settings import BrokerSettings


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page listens."""

    host: str
    port: int  # 0: any that is free

    @property
    def is_private(self) -> bool:
        """Whether only this computer reaches it."""
        return is_this_device(self.host)

    def url(self, *, has_tls: bool) -> str:
        """What to type into a browser; an address that means all of them is this computer's own."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"{'https' if has_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}/"


def parse_address(text: str) -> Address:
    """Read `127.0.0.1:8642` or `[::1]:8642`.

    Raises
    ------
    ValueError
        It is something else.
    """
    if not re.search(PATTERN, text) or split(text)[1] > 65_535:
        raise ValueError(f"expected an address and a port such as 127.0.0.1:8642, found {text!r}")
    return Address(*split(text))


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """Everything that `Dashboard` needs."""

    address: Address
    broker: BrokerSettings
    base_topic: str
    history: Path
    keep_days: float
    capacity_mb: float
    password: Password | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    hosts: tuple[str, ...] = ()
    node: str | None = None  # of this computer, whose clips are in `clips`
    clips: Path | None = None

    @classmethod
    def of(cls, config: Config | FleetConfig, subject: Path, listen: str | None = None) -> DashboardSettings:
        """Take over a configuration; `listen` is from the command line and goes before `dashboard.listen`.

        Raises
        ------
        UserError
            An address that others reach without a password, a password or a certificate that cannot be used.
        """
        dashboard = config.dashboard
        try:
            address = parse_address(listen or dashboard.listen)
        except ValueError as error:
            raise _mistake(subject, listen, str(error)) from error
        password = _password(dashboard)
        if not address.is_private:
            if password is None:
                raise _mistake(
                    subject, listen, f"others reach the page under {address.host}, so it needs dashboard.password_file; {MAKE_ONE}"
                )
            if dashboard.tls is None and not dashboard.allow_plaintext:
                raise _mistake(
                    subject,
                    listen,
                    "the page's password would travel in plain text; add `dashboard.tls:` with cert_file and key_file, "
                    "or `allow_plaintext: true` on a network that you trust",
                )
        for path in (dashboard.tls.cert_file, dashboard.tls.key_file) if dashboard.tls is not None else ():
            if not path.is_file():
                raise ConfigError(path, "no such file (dashboard.tls)")
        node, clips = (config.node, config.clips_folder) if isinstance(config, Config) else (None, None)
        return cls(
            address=address,
            broker=BrokerSettings.from_config(msgspec.structs.replace(config.mqtt, client_id=_client_id())),
            base_topic=config.mqtt.base_topic,
            history=dashboard.history or _state_folder(config) / "dashboard.sqlite",
            keep_days=dashboard.keep_days,
            capacity_mb=dashboard.capacity_mb,
            password=password,
            cert_file=dashboard.tls.cert_file if dashboard.tls is not None else None,
            key_file=dashboard.tls.key_file if dashboard.tls is not None else None,
            hosts=dashboard.hosts,
            node=node,
            clips=clips,
        )


def _mistake(subject: Path, listen: str | None, problem: str) -> UserError:
    return UserError(f"--listen {listen}", problem) if listen is not None else ConfigError(subject, f"dashboard.listen: {problem}")


def _password(dashboard: DashboardConfig) -> Password | None:
    text = dashboard.password_hash()
    if text is None:
        return None
    try:
        return Password(text)
    except ValueError as error:
        where = dashboard.password_file or f"environment variable {dashboard.password_env}"
        raise ConfigError(where, f"{error}; {MAKE_ONE}") from error


def _client_id() -> str:
    return f"auscult-dashboard-{secrets.token_hex(4)}"  # `Dashboard` takes the one that its history knows


def _state_folder(config: Config | FleetConfig) -> Path:
    if isinstance(config, Config):
        return config.state_folder
    if folder := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(folder)
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home else Path.home() / ".local" / "state") / "auscult" / "dashboard"
