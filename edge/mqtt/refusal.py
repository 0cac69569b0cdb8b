"""Why a broker will not have us, and whether trying again may help."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from edge.mqtt.settings import BrokerSettings

# MQTT 5.0, table 3-1 (CONNACK reason codes); paho translates the five codes of MQTT 3.1.1 into these.
MALFORMED: Final = 0x81
PROTOCOL_ERROR: Final = 0x82
UNSUPPORTED_PROTOCOL_VERSION: Final = 0x84
CLIENT_IDENTIFIER_NOT_VALID: Final = 0x85
BAD_USER_NAME_OR_PASSWORD: Final = 0x86
NOT_AUTHORIZED: Final = 0x87
BANNED: Final = 0x8A
BAD_AUTHENTICATION_METHOD: Final = 0x8C
SESSION_TAKEN_OVER: Final = 0x8E
TOPIC_NAME_INVALID: Final = 0x90
RETAIN_NOT_SUPPORTED: Final = 0x9A
QOS_NOT_SUPPORTED: Final = 0x9B


class ConnectError(Exception):
    """There is no connection, now or any more; the text says why. Trying again soon may help."""


class RefusedError(ConnectError):
    """The broker answered and will not have us: somebody has to change something, so try again slowly."""


def connack_failure(code: int, name: str, settings: BrokerSettings) -> ConnectError:
    """Return what a CONNACK with a failing reason code means."""
    login = "check mqtt.username and mqtt.password_file"
    if settings.username is None:
        login = "it wants a login: set mqtt.username and mqtt.password_file"
    other = "3.1.1" if settings.protocol == "5" else "5"
    advice = {
        MALFORMED: f"try mqtt.protocol: '{other}'",
        PROTOCOL_ERROR: f"try mqtt.protocol: '{other}'",
        UNSUPPORTED_PROTOCOL_VERSION: f"it does not speak MQTT {settings.protocol}; set mqtt.protocol: '{other}'",
        CLIENT_IDENTIFIER_NOT_VALID: f"it does not accept the client id '{settings.client_id}'; set mqtt.client_id",
        BAD_USER_NAME_OR_PASSWORD: login,
        NOT_AUTHORIZED: login,
        BANNED: "this client is banned there",
        BAD_AUTHENTICATION_METHOD: login,
        TOPIC_NAME_INVALID: "it does not allow our status topic; check mqtt.base_topic and its access rules",
        RETAIN_NOT_SUPPORTED: "it does not keep retained messages, which Auscult needs",
        QOS_NOT_SUPPORTED: "it does not take QoS 1 messages, which Auscult needs",
    }.get(code)
    if advice is None:
        return ConnectError(f"the broker answered '{name.lower()}'")
    return RefusedError(f"the broker refused us ({name.lower()}): {advice}")


def socket_failure(error: Exception, settings: BrokerSettings) -> ConnectError:
    """Return what an exception from connecting or from the TLS handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what = error.verify_message.rstrip(".")
        if error.verify_code in {18, 19, 20, 21}:  # X509_V_ERR_*: self-signed, or no issuer that we know
            return RefusedError(f"the broker's certificate is not trusted ({what}): set mqtt.tls.ca_file to its authority's certificate")
        return RefusedError(f"the broker's certificate is not accepted ({what}): check mqtt.host and this device's clock")
    is_reset = settings.tls is not None and isinstance(error, ConnectionResetError)
    if is_reset or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return ConnectError("the broker closed the connection during the TLS handshake; is mqtt.port its TLS port?")
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return RefusedError(f"the TLS handshake failed ({reason}): check that mqtt.port is the TLS port, and mqtt.tls")
    if isinstance(error, socket.gaierror):
        return ConnectError(f"the name {settings.host} cannot be resolved ({error.strerror})")
    if isinstance(error, TimeoutError):
        return ConnectError("no answer")
    if isinstance(error, OSError) and error.strerror:
        return ConnectError(error.strerror.lower())
    return ConnectError(str(error) or type(error).__name__)


def lost_failure(code: int, name: str, settings: BrokerSettings) -> ConnectError:
    """Return what a DISCONNECT from the broker means."""
    if code == SESSION_TAKEN_OVER:
        return RefusedError(
            f"another client came with our client id '{settings.client_id}': give each node its own `node` name or mqtt.client_id"
        )
    if code == NOT_AUTHORIZED:
        return RefusedError("the broker took our rights away (not authorized): check its access rules")
    return ConnectError(f"the broker said '{name.lower()}'")
