"""Why a broker refuses us, and whether trying again may help."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from edge.mqtt.settings import BrokerSettings

# MQTT 5.0, table 3-1 (CONNACK reason codes); paho translates the five codes of MQTT 3.1.1 into these.
UNSPECIFIED: Final = 0x80
MALFORMED: Final = 0x81
PROTOCOL_ERROR: Final = 0x82
IMPLEMENTATION_SPECIFIC: Final = 0x83
UNSUPPORTED_PROTOCOL_VERSION: Final = 0x84
CLIENT_IDENTIFIER_NOT_VALID: Final = 0x85
BAD_USER_NAME_OR_PASSWORD: Final = 0x86
NOT_AUTHORIZED: Final = 0x87
SERVER_BUSY: Final = 0x89
BANNED: Final = 0x8A
BAD_AUTHENTICATION_METHOD: Final = 0x8C
SESSION_TAKEN_OVER: Final = 0x8E
TOPIC_NAME_INVALID: Final = 0x90
QUOTA_EXCEEDED: Final = 0x97
RETAIN_NOT_SUPPORTED: Final = 0x9A
QOS_NOT_SUPPORTED: Final = 0x9B
USE_ANOTHER_SERVER: Final = 0x9C
SERVER_MOVED: Final = 0x9D
CONNECTION_RATE_EXCEEDED: Final = 0x9F


SLOWER: Final = frozenset({SERVER_BUSY, QUOTA_EXCEEDED, CONNECTION_RATE_EXCEEDED})
ELSEWHERE: Final = frozenset({USE_ANOTHER_SERVER, SERVER_MOVED})
TRANSIENT: Final = frozenset({UNSPECIFIED, IMPLEMENTATION_SPECIFIC, QUOTA_EXCEEDED})  # of a PUBACK: the message may be taken later

# X509_V_ERR_*: self-signed, or no issuer that we know
_UNTRUSTED: Final = frozenset({18, 19, 20, 21})
# X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED
_OUT_OF_DATE: Final = frozenset({9, 10})


class ConnectError(Exception):
    """There is no connection; the text says why. Trying again soon may help."""


class RefusedError(ConnectError):
    """The broker refused us, and somebody has to change something. Ends the daemon at its start; later we try again slowly."""


class PostponedError(ConnectError):
    """The broker refuses us for now: we try again slowly, also at the start."""


class ContestedError(ConnectError):
    """Another client uses our client id, and each of us kicks the other out: tried very slowly."""


class SilentError(ConnectError):
    """A connection ended without a reason: many brokers do this when another client connects with our id."""


def connack_failure(code: int, name: str, settings: BrokerSettings) -> ConnectError:
    """Return what a CONNACK with a failing reason code means."""
    login = "check mqtt.username and mqtt.password_file"
    if settings.username is None:
        login = "it requires a login: set mqtt.username and mqtt.password_file"
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
        QOS_NOT_SUPPORTED: "it does not accept QoS 1 messages, which Auscult needs",
    }.get(code)
    if advice is None:
        return _announced(code, name, "answered")
    return RefusedError(f"the broker refused us ({name.lower()}): {advice}")


def socket_failure(error: Exception, settings: BrokerSettings) -> ConnectError:
    """Return what an exception from connecting or from the TLS handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what = error.verify_message.rstrip(".")
        if error.verify_code in _OUT_OF_DATE:  # a clock that is not set yet says the same
            return PostponedError(f"the broker's certificate is out of date ({what}): renew it there, and check this device's clock")
        if error.verify_code in _UNTRUSTED:
            return RefusedError(f"the broker's certificate is not trusted ({what}): set mqtt.tls.ca_file to its authority's certificate")
        return RefusedError(f"the broker's certificate is not accepted ({what}): check mqtt.host and this device's clock")
    is_reset = settings.tls is not None and isinstance(error, ConnectionResetError)
    if is_reset or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return ConnectError("the broker closed the connection during the TLS handshake; is mqtt.port its TLS port?")
    if isinstance(error, ssl.SSLError) and _is_about_our_certificate(error):
        reason = (error.reason or "").split("ALERT_")[-1].replace("_", " ").lower()
        kind = PostponedError if "expired" in reason else RefusedError
        return kind(f"the broker does not accept our certificate ({reason}): check mqtt.tls.cert_file, and this device's clock")
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
        return ContestedError(
            f"another client connected with our client id '{settings.client_id}': give each node its own `node` name or mqtt.client_id"
        )
    if code == NOT_AUTHORIZED:
        return RefusedError("the broker withdrew our access (not authorized): check its access rules")
    return _announced(code, name, "said")


def _announced(code: int, name: str, verb: str) -> ConnectError:
    """What a reason means that no setting of ours can change."""
    if code in ELSEWHERE:
        return PostponedError(f"the broker {verb} '{name.lower()}': it has moved; set mqtt.host to the new one")
    if code in SLOWER:
        return PostponedError(f"the broker {verb} '{name.lower()}'")
    return ConnectError(f"the broker {verb} '{name.lower()}'")


def _is_about_our_certificate(error: ssl.SSLError) -> bool:
    # Alerts 42 to 46, 48 and 116 of RFC 8446, section 6: what a server says of a client's certificate.
    words = ("CERTIFICATE", "UNKNOWN_CA")
    return "ALERT" in (error.reason or "") and any(word in (error.reason or "") for word in words)
