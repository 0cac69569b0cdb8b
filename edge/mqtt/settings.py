"""How to reach the broker: config.yaml's `mqtt`, in the form that the connection needs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.config.schema import MqttConfig
from edge.errors import BrokerError


class TlsSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails, and remembers why reading failed.

    paho leaves the socket open, one more with every try; and it swallows what TLS says after the handshake, which in TLS 1.3 is where a
    broker complains of our certificate.
    """

    failure: ssl.SSLError | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.failure = error
            raise

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Files of the TLS connection, all PEM; without `ca_file` the system's certificate authorities are trusted."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return a client context that checks the broker's certificate and name.

        Raises
        ------
        BrokerError
            when a file is missing or is not PEM.
        """
        # Not ssl.create_default_context: it turns on VERIFY_X509_STRICT from Python 3.13 on, which refuses many a home-made authority.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = TlsSocket
        if self.ca_file is None:
            context.load_default_certs()
        else:
            try:
                context.load_verify_locations(self.ca_file)
            except (OSError, ValueError) as error:
                raise BrokerError(
                    self.ca_file, f"cannot be used as mqtt.tls.ca_file ({_reason(error)}); give certificates as PEM"
                ) from error
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
            except (OSError, ValueError) as error:
                raise BrokerError(
                    self.cert_file, f"cannot be used as mqtt.tls.cert_file with its key_file ({_reason(error)}); give both as PEM"
                ) from error
        return context


def _no_password() -> str:
    # Otherwise OpenSSL asks for it on the terminal, and the daemon hangs at boot.
    raise ValueError("the key is encrypted; write it without a password")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason.replace("_", " ").lower() if error.reason else "not a PEM file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _none() -> None:
    return None


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Everything that a connection needs."""

    host: str
    client_id: str
    port: int = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    read_password: Callable[[], str | None] = _none  # called for each connection, so that a rotated secret is picked up
    keepalive_s: int = 60
    tls: TlsSettings | None = None

    @classmethod
    def from_config(cls, mqtt: MqttConfig) -> BrokerSettings:
        """Take over config.yaml's `mqtt`; raises ConfigError when the password cannot be read."""
        mqtt.password()
        tls = mqtt.tls
        return cls(
            host=mqtt.host,
            client_id=mqtt.client_id,
            port=mqtt.port,
            protocol=mqtt.protocol,
            username=mqtt.username,
            read_password=mqtt.password,
            keepalive_s=mqtt.keepalive_s,
            tls=TlsSettings(tls.ca_file, tls.cert_file, tls.key_file) if tls is not None and tls.enabled else None,
        )

    @property
    def endpoint(self) -> str:
        """`mqtt://host:port`, as log lines and errors name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{host}:{self.port}"
