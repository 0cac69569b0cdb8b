"""The section `dashboard` of config.yaml: where the page listens, who may see it, and what it remembers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edge.config.address import Listen
from edge.config.meaning import meaning
from edge.config.section import Section, Text
from edge.errors import ConfigError

MAKE_ONE = "write one with: auscult dashboard --hash-password"


class DashboardTlsConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """HTTPS with a certificate of your own."""

    cert_file: Annotated[Path, meaning("Certificate (PEM) of the page, with those of its authorities.")]
    key_file: Annotated[Path, meaning("Private key of the certificate, without a passphrase.")]


class DashboardConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The page of `auscult dashboard`. The daemon itself does not look at it."""

    listen: Annotated[
        Listen,
        meaning("Address and port of the page. Other computers reach it under `0.0.0.0:8642`, which needs a password."),
    ] = "127.0.0.1:8642"
    password_file: Annotated[
        Path | None,
        meaning("A file with the hash of the page's password, which `auscult dashboard --hash-password` writes.", default="none"),
    ] = None
    password_env: Annotated[
        Text | None, meaning("Instead, an environment variable with the hash of the page's password.", default="none")
    ] = None
    hosts: Annotated[
        tuple[Text, ...],
        Meta(description="a list of host names"),
        meaning(
            "Names under which browsers reach the page. Requests for other names are refused.",
            default="`localhost`, this computer's name, and every IP address",
        ),
    ] = ()
    tls: DashboardTlsConfig | None = None
    allow_plaintext: Annotated[
        bool, meaning("`true` allows the page's password to travel without TLS, where others on the network can read it.")
    ] = False
    history: Annotated[
        Annotated[Path, Meta(description="a file on a disk with room")] | None,
        meaning("The SQLite file with scores, events and marks.", default="`dashboard.sqlite` in the state folder"),
    ] = None
    keep_days: Annotated[
        float,
        Meta(ge=1, le=3650, description="days, from 1 to 3650"),
        meaning("Events and hourly scores older than this are deleted. Finer scores are kept for 2 and 8 days."),
    ] = 90.0
    capacity_mb: Annotated[
        float,
        Meta(ge=5, le=100_000, description="megabytes, from 5 to 100000"),
        meaning("Largest size of the history. Beyond it pictures of events go first, then the oldest events."),
    ] = 200.0

    @property
    def has_password(self) -> bool:
        """Whether the page asks for one."""
        return self.password_file is not None or self.password_env is not None

    def password_hash(self) -> str | None:
        """Read the hash of the page's password from where the configuration says it is; None without one.

        Raises
        ------
        ConfigError
            The file cannot be read or is empty, or the environment variable is not set.
        """
        if self.password_file is not None:
            try:
                found = self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
                problem = f"cannot read the page's password (dashboard.password_file): {reason}; {MAKE_ONE}"
                raise ConfigError(self.password_file, problem) from error
            if not found:
                raise ConfigError(self.password_file, f"is empty (dashboard.password_file); {MAKE_ONE}")
            return found
        if self.password_env is not None:
            found = os.environ.get(self.password_env, "").strip()
            if not found:
                problem = f"is not set; dashboard.password_env expects the hash of a password there; {MAKE_ONE}"
                raise ConfigError(f"environment variable {self.password_env}", problem)
            return found
        return None
