"""Where something listens: an address of this device, or a name of it, and a port."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from msgspec import Meta

from edge.whole_text import whole

PATTERN = whole(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")

Listen = Annotated[
    str,
    Meta(
        pattern=PATTERN,
        description="an address and a port, such as 127.0.0.1:9464",
    ),
]


def split(listen: str) -> tuple[str, int]:
    """The host, without the brackets of an IPv6 address, and the port of what matches `Listen`."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def is_this_device(host: str) -> bool:
    """Whether nobody on another computer reaches, or is reached by, this address or name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost")
