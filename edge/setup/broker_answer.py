"""The broker as people write it: a name, an address, with or without a port."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from edge.errors import UserError

TLS_PORT = 8883
_WRITTEN = re.compile(r"(?:(?P<scheme>mqtts?|ssl|tcp)://)?(?P<host>\[[^\]]*\]|[^:/@\s]+)(?::(?P<port>\d{1,5}))?/?", re.IGNORECASE)


class BrokerAnswer(NamedTuple):
    """Where the broker is. `port` is 0 for the usual one; `tls` is None when nothing was said of it."""

    host: str
    port: int
    tls: bool | None


def parse_broker(written: str) -> BrokerAnswer:
    """Understand `broker.local`, `10.0.0.5:1883`, `[fe80::1]:8883`, `fe80::1` or `mqtts://broker.local`.

    Raises
    ------
    UserError : none of these
    """
    if is_ipv6(written):
        return BrokerAnswer(written, 0, None)
    match = _WRITTEN.fullmatch(written)
    host = match["host"].strip("[]") if match else ""
    port = int(match["port"] or 0) if match else 0
    if match is None or port > 65535 or (match["host"].startswith("[") and not is_ipv6(host)):
        raise UserError("broker", "expected a name or an address, with a port if it is not the usual one: broker.local or [fe80::1]:8883")
    scheme = (match["scheme"] or "").lower()
    tls = True if scheme in ("mqtts", "ssl") or (not scheme and port == TLS_PORT) else False if scheme else None
    return BrokerAnswer(host, port, tls)


def is_ipv6(text: str) -> bool:
    """Whether it is an address with colons, and nothing else."""
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False
