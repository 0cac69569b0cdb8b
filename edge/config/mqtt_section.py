"""The section `mqtt` of config.yaml: the broker, and how to log in to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from edge.config.meaning import meaning
from edge.config.secret_file import read_secret
from edge.config.section import Port, Section, Text
from edge.errors import ConfigError


class TlsConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TLS to the broker. Without `ca_file` the system's certificates are trusted; the certificate is always verified."""

    enabled: Annotated[bool, meaning("`false` switches encryption off and keeps the section. `tls:` alone switches it on.")] = True
    ca_file: Annotated[
        Path | None, meaning("PEM certificate of the authority that signed the broker's certificate.", default="the system's certificates")
    ] = None
    cert_file: Annotated[Path | None, meaning("Client certificate (PEM), for a broker that asks for one.", default="none")] = None
    key_file: Annotated[Path | None, meaning("Private key of the client certificate, without a passphrase.", default="none")] = None


class MqttConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The broker."""

    host: Annotated[Text, meaning("The broker's name or address, without `mqtt://`.")]
    port: Annotated[Port, meaning("The broker's TCP port.", default="`1883`, with TLS `8883`")] = (
        0  # 0 never leaves load_config: it becomes 1883, or 8883 with TLS
    )
    protocol: Annotated[Literal["5", "3.1.1"], meaning("The version of MQTT.")] = "5"
    username: Annotated[Text | None, meaning("User name at the broker.", default="none")] = None
    password_file: Annotated[
        Path | None,
        meaning(
            "A file with the password and nothing else, read for each connection; or `credential:NAME`, a credential of systemd.",
            default="none",
        ),
    ] = None
    password_env: Annotated[
        Text | None,
        meaning(
            "Instead, an environment variable with the password. The password itself never stands in `config.yaml`.",
            default="none",
        ),
    ] = None
    client_id: Annotated[
        str, meaning("Name of this client at the broker. Two clients of one broker must not share it.", default="`auscult-<node>`")
    ] = ""  # load_config makes it auscult-<node>
    keepalive_s: Annotated[
        int,
        Meta(ge=5, le=3600, description="whole seconds from 5 to 3600"),
        meaning("After one and a half of these intervals without a packet, the broker publishes `offline` for this node."),
    ] = 60
    tls: TlsConfig | None = None
    base_topic: Annotated[Text, meaning("First part of every topic.")] = "auscult"
    allow_plaintext: Annotated[
        bool, meaning("`true` allows a password to go to another host without TLS, where others on the network can read it.")
    ] = False

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.tls is not None and self.tls.enabled

    def password(self) -> str | None:
        """Read the broker's password from the configured place; None without one.

        It is read when it is needed and never kept, so a rotated secret is picked up on the next connection.

        Raises
        ------
        ConfigError
            The file cannot be read or is empty, or the environment variable is not set.
        """
        if self.password_file is not None:
            missing = "write the password into this file, or remove mqtt.username and mqtt.password_file if the broker asks for no login"
            return read_secret(self.password_file, "the broker's password", "mqtt.password_file", missing)
        if self.password_env is not None:
            secret = os.environ.get(self.password_env, "")
            if not secret:
                raise ConfigError(
                    f"environment variable {self.password_env}", "is not set; mqtt.password_env expects the broker's password there"
                )
            return secret
        return None
